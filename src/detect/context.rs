//! The words around a candidate: what they say that it is, or is not. A word belongs to the nearest number, so digits end
//! the window.

use std::sync::LazyLock;

use super::{
    fold::LETTER,
    topics::{Topic, WORDS},
};

/// The words around one candidate, as sets of topics.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Words {
    before: u64,
    after: u64,
    /// A word near before it says that it is somebody's reference.
    reference: bool,
    /// The very word before it does.
    labelled: bool,
}

impl Words {
    /// Whether a word before the candidate is of `topic`.
    pub(super) fn before(self, topic: Topic) -> bool {
        self.before & topic.bit() != 0
    }

    /// Whether a word on either side is.
    pub(super) fn around(self, topic: Topic) -> bool {
        (self.before | self.after) & topic.bit() != 0
    }

    /// Whether a word such as `order` or `invoice` claims the candidate.
    pub(super) fn reference(self) -> bool {
        self.reference
    }
}

impl Words {
    /// Whether the candidate follows such a word directly, or past `no.`, `#` and the like.
    pub(super) fn labelled(self) -> bool {
        self.labelled
    }
}

/// The words around the bytes `start..end`.
pub(super) fn words(bytes: &[u8], start: usize, end: usize) -> Words {
    let window = bytes.get(start.saturating_sub(BEFORE_BYTES)..start).unwrap_or_default();
    let mut words = Words::default();
    let (mut at, mut near, mut direct) = (window.len(), true, true);
    // Backwards, so that the nearest word is read first.
    while let Some(byte) = at.checked_sub(1).and_then(|last| window.get(last)) {
        if byte.is_ascii_digit() && digits_before(window, at) >= ENDING_DIGITS {
            break;
        }
        if !is_letter(*byte) {
            // The end of a sentence, or of a line: what is said before it is about something else.
            near &= !(matches!(byte, b'!' | b'?' | b';' | b'\n')
                || (*byte == b'.'
                    && at + 3 < window.len()
                    && window.get(at) == Some(&b' ')
                    && window.get(at + 1).is_some_and(u8::is_ascii_uppercase)));
            at -= 1;
            continue;
        }
        let length = window.get(..at).unwrap_or_default().iter().rev().take_while(|byte| is_letter(**byte)).count();
        // A word that the window cuts is not whole.
        let from = at - length;
        let word = window.get(from..at).unwrap_or_default();
        let topics = topics(word);
        if from > 0 || start <= BEFORE_BYTES {
            if near
                && window.len() - at <= REFERENCE_BYTES
                && topics & Topic::Reference.bit() != 0
                && words.before & CLAIMING == 0
            {
                words.reference = true;
            }
            words.labelled |= direct && near && topics & Topic::Reference.bit() != 0;
            direct &= FILLERS.iter().any(|filler| word.eq_ignore_ascii_case(filler.as_bytes()));
            words.before |= topics;
        }
        at = from;
    }
    let rest = bytes.get(end..bytes.len().min(end + AFTER_BYTES)).unwrap_or_default();
    let rest =
        rest.split(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b'\n' | b'.')).next().unwrap_or_default();
    for word in rest.split(|byte| !is_letter(*byte)).filter(|word| !word.is_empty()) {
        words.after |= topics(word);
    }
    words
}

fn digits_before(window: &[u8], at: usize) -> usize {
    window.get(..at).unwrap_or_default().iter().rev().take_while(|byte| byte.is_ascii_digit()).count()
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == LETTER
}

/// The topics of one word. Entries of four and more bytes also match as the beginning of a word.
pub(super) fn topics(word: &[u8]) -> u64 {
    let [first, second, ..] = word else { return 0 };
    let Some(bucket) = bucket(*first, *second) else { return 0 };
    let (from, to) = INDEX.get(bucket).copied().unwrap_or((0, 0));
    WORDS
        .get(from..to)
        .unwrap_or_default()
        .iter()
        .filter(|(known, _)| {
            let known = known.as_bytes();
            (known.len() >= 4 || known.len() == word.len())
                && word.get(..known.len()).is_some_and(|head| head.eq_ignore_ascii_case(known))
        })
        .fold(0, |topics, (_, topic)| topics | topic.bit())
}

fn bucket(first: u8, second: u8) -> Option<usize> {
    let letter = |byte: u8| match byte.to_ascii_lowercase() {
        byte @ b'a'..=b'z' => Some(usize::from(byte - b'a')),
        _ => None,
    };
    Some(letter(first)? * 26 + letter(second)?)
}

/// Where the words of each two first letters are in [`WORDS`], which is sorted.
static INDEX: LazyLock<Vec<(usize, usize)>> = LazyLock::new(|| {
    let mut index = vec![(0, 0); 26 * 26];
    for (place, (word, _)) in WORDS.iter().enumerate() {
        if let [first, second, ..] = word.as_bytes()
            && let Some(slot) = bucket(*first, *second).and_then(|bucket| index.get_mut(bucket))
        {
            *slot = if slot.1 == 0 { (place, place + 1) } else { (slot.0, place + 1) };
        }
    }
    index
});

/// Words that say what a number is, nearer than a word that says it is a reference: the nearer one is right.
const CLAIMING: u64 = Topic::Phone.bit() | Topic::Card.bit() | Topic::UsSsn.bit();
/// What stands between a name and its number.
const FILLERS: [&str; 16] = [
    "no", "nr", "num", "number", "numero", "nummer", "n", "is", "was", "ist", "es", "est", "our", "your", "the", "code",
];
const BEFORE_BYTES: usize = 60;
const AFTER_BYTES: usize = 30;
const REFERENCE_BYTES: usize = 32;
/// Fewer digits are a count or the number of a list's item.
const ENDING_DIGITS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn around(text: &str) -> Words {
        let start = text.find('#').unwrap();
        words(text.as_bytes(), start, start + 1)
    }

    #[test]
    fn the_table_is_sorted_and_in_lower_case() {
        for pair in WORDS.windows(2) {
            assert!(pair[0] < pair[1], "{:?}", pair[1]);
        }
        for (word, _) in WORDS {
            assert!(word.len() >= 2 && word.bytes().all(|byte| byte.is_ascii_lowercase()), "{word}");
        }
    }

    #[test]
    fn words_of_several_languages_say_what_follows() {
        for text in ["Telefonnummer: #", "his mobile is #", "T\x65l. #", "n\u{b0} de t\u{e9}l\u{e9}phone: tel #"] {
            assert!(around(text).before(Topic::Phone), "{text}");
        }
        assert!(around("# is my PESEL").around(Topic::PlPesel));
        assert!(!around("# is it. My PESEL").around(Topic::PlPesel));
        assert!(!around("hotel #").before(Topic::Phone));
    }

    #[test]
    fn the_nearest_word_decides() {
        assert!(around("order no. #").reference() && around("Order number: #").labelled());
        assert!(around("order paid with #").reference() && !around("order paid with #").labelled());
        assert!(!around("about the order, phone #").reference());
        assert!(!around("I lost my order. Ring #").reference());
        assert!(!around("PESEL 44051401458, #").before(Topic::PlPesel));
        assert!(around("2 cards: #").before(Topic::Card));
    }
}
