//! Personal or secret bytes: printed as their length only, read through one visible call, wiped when dropped.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

/// A value that must not reach a log, an error or a panic message.
///
/// `Debug` prints `<12 bytes>`; there is no `Display` and no `Serialize`. The memory is wiped on drop (the current
/// allocation only: copies made by a growing `Vec` before the value arrived here are out of reach).
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Sensitive<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Sensitive<T> {
    /// Wraps `value`.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// Reads the value; the name is what a reviewer greps for.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> From<T> for Sensitive<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Zeroize + AsRef<[u8]>> fmt::Debug for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.expose().as_ref().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_length_and_nothing_else() {
        let secret = Sensitive::new(String::from("4111111111111111"));
        assert_eq!(format!("{secret:?}"), "<16 bytes>");
        assert_eq!(secret.expose(), "4111111111111111");
    }
}
