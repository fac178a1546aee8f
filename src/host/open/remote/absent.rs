//! What stands for shares that are no folder where pcm was built without the feature `remote`: every use of one says so.

use crate::host::open::{Looked, OpenError};
use std::convert::Infallible;
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

/// There is none.
#[derive(Debug, Clone)]
pub struct Prefix(Infallible);

/// There is none.
#[derive(Debug)]
pub struct Object(Infallible);

/// There is nobody to hang up on.
pub fn hang_up() {}

/// There is nobody to talk to.
pub fn talk() -> u8 {
    1
}

impl Prefix {
    pub fn open(_: &Path) -> Result<Self, OpenError> {
        Err(OpenError::Io("this pcm was built without `remote`: it reads folders alone".to_owned(), None))
    }

    pub fn below(&self, _: &str) -> Self {
        match self.0 {}
    }

    pub fn get(&self, _: &str, _: Option<&str>) -> Result<Option<(Object, u64)>, OpenError> {
        match self.0 {}
    }

    pub fn look(&self, _: &str) -> Result<Looked, OpenError> {
        match self.0 {}
    }

    pub fn put(&self, _: &str, _: &[u8]) -> io::Result<()> {
        match self.0 {}
    }

    pub fn bring(&self, _: &str, _: &mut dyn Read) -> io::Result<()> {
        match self.0 {}
    }

    pub fn remove(&self, _: &str) -> io::Result<()> {
        match self.0 {}
    }

    pub fn names(&self, _: usize) -> Result<Vec<String>, OpenError> {
        match self.0 {}
    }
}

impl Object {
    pub fn modified(&self) -> SystemTime {
        match self.0 {}
    }

    pub fn looked(&self, _: u64) -> Looked {
        match self.0 {}
    }

    pub fn tag(&self) -> Option<&str> {
        match self.0 {}
    }

    pub fn mark(&self) -> u64 {
        match self.0 {}
    }
}

impl Read for Object {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }
}
