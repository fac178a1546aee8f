//! Texts that many machines say, kept once: a hundred thousand rows have a handful of results and versions.

use crate::text::SafeText;
use serde::{Serialize, Serializer};
use std::collections::HashSet;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shared(Arc<SafeText>);

impl Deref for Shared {
    type Target = SafeText;

    fn deref(&self) -> &SafeText {
        &self.0
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Shared {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Texts(HashSet<Arc<SafeText>>);

impl Texts {
    /// This one, as all others have it.
    pub fn of(&mut self, text: &SafeText) -> Shared {
        if let Some(known) = self.0.get(text) {
            return Shared(Arc::clone(known));
        }
        let new = Arc::new(text.clone());
        self.0.insert(Arc::clone(&new));
        Shared(new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_say_is_kept_once_and_read_as_it_was_said() {
        let mut texts = Texts::default();
        let [one, same, other] = ["1603", "1603", "17"].map(|text| texts.of(&text.into()));
        assert!(Arc::ptr_eq(&one.0, &same.0) && !Arc::ptr_eq(&one.0, &other.0));
        assert_eq!((one.as_str(), other.to_string()), ("1603", "17".to_owned()));
        assert_eq!(serde_json::to_string(&[one, other]).ok().as_deref(), Some("[\"1603\",\"17\"]"));
    }
}
