//! The words around a candidate: what they say that it is, or is not. A word belongs to the nearest number, so digits end
//! the window.

use std::{cell::Cell, ops::Deref, sync::LazyLock};

use super::{
    fold::LETTER,
    topics::{Topic, WORDS},
};

/// The bytes of a text, and the last look at the words before a number in it: several recognisers ask the same of one.
pub(super) struct Text<'b> {
    bytes: &'b [u8],
    last: Cell<Option<(usize, Words)>>,
}

impl<'b> Text<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, last: Cell::new(None) }
    }

    pub(super) fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    /// The words before `start`.
    pub(super) fn before(&self, start: usize) -> Words {
        if let Some((_, words)) = self.last.get().filter(|(place, _)| *place == start) {
            return words;
        }
        let words = Words::ahead_of(self.bytes, start);
        self.last.set(Some((start, words)));
        words
    }

    /// The words around the bytes `start..end`.
    pub(super) fn around(&self, start: usize, end: usize) -> Words {
        let rest = self.bytes.get(end..self.bytes.len().min(end + AFTER_BYTES)).unwrap_or_default();
        Words { after: topics_until_stop(rest), ..self.before(start) }
    }
}

impl Deref for Text<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes
    }
}

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

    /// Whether the candidate follows such a word directly, or past `no.`, `#` and the like.
    pub(super) fn labelled(self) -> bool {
        self.labelled
    }

    /// Those before `start`.
    fn ahead_of(bytes: &[u8], start: usize) -> Self {
        let window = bytes.get(start.saturating_sub(BEFORE_BYTES)..start).unwrap_or_default();
        let mut words = Words::default();
        let (mut at, mut near, mut direct) = (window.len(), true, true);
        // Backwards, so that the nearest word is read first.
        while let Some((last, rest)) = window.get(..at).and_then(<[u8]>::split_last) {
            match class(*last) {
                Class::Letter => {
                    let word = Head::ending(rest, *last);
                    // A word that the window cuts is not whole.
                    let from = at - word.length;
                    if from > 0 || start <= BEFORE_BYTES {
                        let letters = window.get(from..at).unwrap_or_default();
                        let topics = word.topics(letters);
                        let reference = near && topics & Topic::Reference.bit() != 0;
                        let close = window.len() - at <= REFERENCE_BYTES;
                        words.reference |= reference && close && words.before & CLAIMING == 0;
                        words.labelled |= reference && direct;
                        direct = direct && FILLERS.iter().any(|filler| letters.eq_ignore_ascii_case(filler.as_bytes()));
                        words.before |= topics;
                    }
                    at = from;
                    continue;
                }
                Class::Digit if digits_before(rest) + 1 >= ENDING_DIGITS => break,
                Class::Digit | Class::Other => {}
                // The end of a sentence, or of a line: what is said before it is about something else.
                Class::End => near = false,
                Class::Dot => near &= !starts_sentence(window, at),
            }
            at -= 1;
        }
        words
    }
}

/// The topics of the words in `text` up to a digit, the end of a clause or of a line.
fn topics_until_stop(text: &[u8]) -> u64 {
    let (mut topics, mut rest) = (0, text);
    while let Some((first, tail)) = rest.split_first() {
        match first {
            b';' | b'\n' | b'.' | b'0'..=b'9' => break,
            first if is_letter(*first) => {
                let (word, head) = Head::starting(rest);
                topics |= head.topics(word);
                rest = rest.get(word.len()..).unwrap_or_default();
            }
            _ => rest = tail,
        }
    }
    topics
}

/// Whether a space and a capital follow a dot.
fn starts_sentence(window: &[u8], after: usize) -> bool {
    matches!(window.get(after..), Some([b' ', capital, _, _, ..]) if capital.is_ascii_uppercase())
}

/// At most as many as matter.
fn digits_before(text: &[u8]) -> usize {
    text.iter().rev().take(ENDING_DIGITS).take_while(|byte| byte.is_ascii_digit()).count()
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == LETTER
}

/// What a byte before a number means.
#[derive(Clone, Copy)]
enum Class {
    Letter,
    Digit,
    /// The end of a sentence or a line.
    End,
    Dot,
    Other,
}

fn class(byte: u8) -> Class {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | LETTER => Class::Letter,
        b'0'..=b'9' => Class::Digit,
        b'!' | b'?' | b';' | b'\n' => Class::End,
        b'.' => Class::Dot,
        _ => Class::Other,
    }
}

/// The topics of one word. Entries of four and more bytes also match as the beginning of a word.
pub(super) fn topics(word: &[u8]) -> u64 {
    let (letters, head) = Head::starting(word);
    if letters.len() == word.len() { head.topics(word) } else { 0 }
}

/// How a word of letters starts, in small letters: eight bytes in one number, so that they are compared at once.
#[derive(Clone, Copy)]
struct Head {
    bytes: u64,
    length: usize,
}

impl Head {
    /// Of the word that ends with `last`, which stands behind `rest`.
    fn ending(rest: &[u8], last: u8) -> Self {
        let mut bytes = u64::from(last | SMALL);
        let mut length = 1;
        for byte in rest.iter().rev().take_while(|byte| is_letter(**byte)) {
            // What is shifted out is the end of a long word.
            bytes = (bytes << 8) | u64::from(byte | SMALL);
            length += 1;
        }
        Self { bytes, length }
    }

    /// Of the word that `text` starts with; and that word.
    fn starting(text: &[u8]) -> (&[u8], Self) {
        let length = text.iter().take_while(|byte| is_letter(**byte)).count();
        let word = text.get(..length).unwrap_or_default();
        let bytes = word.iter().take(8).rev().fold(0, |bytes, byte| (bytes << 8) | u64::from(byte | SMALL));
        (word, Self { bytes, length })
    }

    fn topics(self, word: &[u8]) -> u64 {
        let [first, second, third, ..] = self.bytes.to_le_bytes();
        let entries = bucket(first, second).map_or(&[][..], |bucket| INDEX.bucket(bucket, third));
        let known = entries.iter().filter(|entry| self.bytes & entry.mask == entry.head && entry.ends(word));
        known.fold(0, |topics, entry| topics | entry.topic)
    }
}

/// Makes an ASCII letter small, and no other byte of a word a letter.
const SMALL: u8 = 0x20;

/// The place of the words that start with two letters.
fn bucket(first: u8, second: u8) -> Option<usize> {
    let letter = |byte: u8| Some(usize::from(byte.wrapping_sub(b'a'))).filter(|letter| *letter < LETTERS);
    Some(letter(first)? * LETTERS + letter(second)?)
}

/// A word of [`WORDS`].
struct Entry {
    head: u64,
    /// Which bytes of a word must be those of `head`: all eight for a short one, which must end where the entry does.
    mask: u64,
    /// What follows the eight bytes.
    rest: &'static [u8],
    topic: u64,
}

impl Entry {
    fn of(known: &'static str, topic: Topic) -> Self {
        let (word, head) = Head::starting(known.as_bytes());
        let mask = if (PREFIX_BYTES..8).contains(&word.len()) { (1 << (8 * word.len())) - 1 } else { u64::MAX };
        Self { head: head.bytes, mask, rest: word.get(8..).unwrap_or_default(), topic: topic.bit() }
    }

    /// Whether `word`, whose head is right, goes on like this entry.
    fn ends(&self, word: &[u8]) -> bool {
        self.rest.is_empty()
            || word.get(8..8 + self.rest.len()).is_some_and(|rest| rest.eq_ignore_ascii_case(self.rest))
    }
}

/// [`WORDS`], which is sorted, and where in it the words of each two first letters are.
struct Index {
    entries: Vec<Entry>,
    buckets: Vec<Bucket>,
}

/// The words of two first letters: from–to, and the third letters they have.
#[derive(Clone, Copy, Default)]
struct Bucket {
    from: u16,
    to: u16,
    thirds: u32,
}

/// The bit of a third letter; the end of a word has one too.
fn third(letter: u8) -> u32 {
    1 << (letter & 0x1F)
}

impl Index {
    fn bucket(&self, bucket: usize, letter: u8) -> &[Entry] {
        match self.buckets.get(bucket) {
            Some(bucket) if bucket.thirds & third(letter) != 0 => {
                self.entries.get(usize::from(bucket.from)..usize::from(bucket.to)).unwrap_or_default()
            }
            _ => &[],
        }
    }
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut buckets = vec![Bucket::default(); LETTERS * LETTERS];
    for (place, (word, _)) in (0_u16..).zip(WORDS) {
        if let [first, second, ..] = word.as_bytes()
            && let Some(slot) = bucket(*first, *second).and_then(|bucket| buckets.get_mut(bucket))
        {
            let from = if slot.to == 0 { place } else { slot.from };
            let thirds = slot.thirds | third(word.as_bytes().get(2).copied().unwrap_or(0));
            *slot = Bucket { from, to: place + 1, thirds };
        }
    }
    Index { entries: WORDS.iter().map(|(word, topic)| Entry::of(word, *topic)).collect(), buckets }
});

/// Words that say what a number is, nearer than a word that says it is a reference: the nearer one is right.
const CLAIMING: u64 = Topic::Phone.bit() | Topic::Card.bit() | Topic::UsSsn.bit();
/// What stands between a name and its number.
const FILLERS: [&str; 16] = [
    "no", "nr", "num", "number", "numero", "nummer", "n", "is", "was", "ist", "es", "est", "our", "your", "the", "code",
];
/// Entries from this length on match as the beginning of a word.
const PREFIX_BYTES: usize = 4;
const LETTERS: usize = 26;
const BEFORE_BYTES: usize = 60;
const AFTER_BYTES: usize = 30;
const REFERENCE_BYTES: usize = 32;
/// Fewer digits are a count or the number of a list's item.
const ENDING_DIGITS: usize = 3;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The topics of a word, read off the whole table.
    fn looked_up(word: &str) -> u64 {
        let word = word.to_ascii_lowercase();
        let known = |known: &str| if known.len() < 4 { word == known } else { word.starts_with(known) };
        WORDS.iter().filter(|entry| known(entry.0)).fold(0, |topics, (_, topic)| topics | topic.bit())
    }

    proptest! {
        #[test]
        fn a_word_has_the_topics_that_the_table_gives_it(
            place in 0..WORDS.len(), taken in 0..3_usize, more in "[a-zA-Z]{0,4}", other in "[a-zA-Z]{1,9}",
        ) {
            let known = WORDS[place].0;
            for word in [format!("{}{more}", &known[..known.len() - taken.min(known.len())]), known.to_uppercase(), other] {
                prop_assert_eq!(topics(word.as_bytes()), looked_up(&word), "{}", word);
                let note = format!("12 {word} #");
                prop_assert_eq!(around(&note).before, looked_up(&word), "{}", note);
                let note = format!("# {word}, 12");
                prop_assert_eq!(around(&note).after, looked_up(&word), "{}", note);
            }
        }
    }

    fn around(text: &str) -> Words {
        let start = text.find('#').unwrap();
        Text::new(text.as_bytes()).around(start, start + 1)
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
