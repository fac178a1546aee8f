//! What others do to the files while a look is under way: a test says it, and it happens at one of the moments at which the
//! follower turns to a file.

use std::cell::RefCell;

/// What happens, given how many moments were before this one.
type Happens = Box<dyn FnMut(usize)>;

thread_local! {
    static HAPPENS: RefCell<Option<(usize, Happens)>> = const { RefCell::new(None) };
}

/// From now on this is called at each moment of this thread's looks, until [`quiet`].
pub fn happens(what: impl FnMut(usize) + 'static) {
    HAPPENS.set(Some((0, Box::new(what))));
}

/// Nothing happens any more. How many moments there were.
pub fn quiet() -> usize {
    HAPPENS.take().map_or(0, |(count, _)| count)
}

/// The follower is about to turn to a file.
pub(super) fn pass() {
    let Some((count, mut what)) = HAPPENS.take() else { return };
    what(count);
    HAPPENS.set(Some((count + 1, what)));
}
