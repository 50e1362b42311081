//! Comparisons of a stored text with an asked one: without regard to case, with null, with wildcards.

use super::tree::Truth;

/// What a comparison with null is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) enum Nulls {
    /// Null equals null and differs from every text: `!=` and `NOT IN` find it.
    #[default]
    Value,
    /// Neither true nor false, as in SQL: `!=` and `NOT IN` do not find it.
    Unknown,
}

/// What is asked of one value; an absent literal is `null`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Equal(Option<String>),
    Among(Vec<Option<String>>),
    Like(Vec<Wild>),
    Order(Order, String),
}

/// A comparison by order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// One step of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wild {
    /// This character, in any case.
    Char(char),
    /// One character.
    One,
    /// Any characters, none among them.
    Any,
}

impl Test {
    pub(super) fn of(&self, held: Option<&str>, nulls: Nulls) -> Truth {
        match (self, held) {
            (Self::Equal(asked), _) => equal(held, asked.as_deref(), nulls),
            (Self::Among(list), _) => {
                list.iter().fold(Truth::False, |truth, asked| truth.or(equal(held, asked.as_deref(), nulls)))
            }
            (Self::Like(_) | Self::Order(..), None) => null(nulls),
            (Self::Like(pattern), Some(held)) => Truth::of(like(held, pattern)),
            (Self::Order(order, asked), Some(held)) => {
                let (held, asked) = (fold(held), fold(asked));
                Truth::of(match order {
                    Order::Less => held < asked,
                    Order::LessOrEqual => held <= asked,
                    Order::Greater => held > asked,
                    Order::GreaterOrEqual => held >= asked,
                })
            }
        }
    }
}

fn equal(held: Option<&str>, asked: Option<&str>, nulls: Nulls) -> Truth {
    match (held, asked) {
        (Some(held), Some(asked)) => Truth::of(same(held, asked)),
        (None, Some(_)) => null(nulls),
        (held, None) => Truth::of(held.is_none()),
    }
}

fn null(nulls: Nulls) -> Truth {
    match nulls {
        Nulls::Value => Truth::False,
        Nulls::Unknown => Truth::Unknown,
    }
}

/// Whether both are the same text in any case.
pub(in super::super) fn same(a: &str, b: &str) -> bool {
    // Most values are ASCII: nothing is allocated for them.
    if a.is_ascii() && b.is_ascii() { a.eq_ignore_ascii_case(b) } else { fold(a) == fold(b) }
}

/// The form that is compared where case does not count.
pub(super) fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// Whether the whole of `text` fits `pattern`, in any case.
pub(super) fn like(text: &str, pattern: &[Wild]) -> bool {
    let text: Vec<char> = fold(text).chars().collect();
    let pattern: Vec<Wild> = pattern.iter().flat_map(|wild| lower(*wild)).collect();
    let (mut at, mut step) = (0, 0);
    // Where the last `Any` stands, and where the text went on behind it.
    let mut back = None;
    while let Some(c) = text.get(at) {
        match pattern.get(step) {
            Some(Wild::Any) => {
                back = Some((step, at));
                step += 1;
            }
            Some(Wild::One) => (at, step) = (at + 1, step + 1),
            Some(Wild::Char(own)) if own == c => (at, step) = (at + 1, step + 1),
            _ => match back {
                Some((any, from)) => {
                    back = Some((any, from + 1));
                    (at, step) = (from + 1, any + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(step).all(|wild| *wild == Wild::Any)
}

fn lower(wild: Wild) -> Vec<Wild> {
    match wild {
        Wild::Char(c) => c.to_lowercase().map(Wild::Char).collect(),
        other => vec![other],
    }
}

/// The pattern of exactly these characters.
pub(super) fn literal(text: &str) -> impl Iterator<Item = Wild> {
    text.chars().map(Wild::Char)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Vec<Wild> {
        let wild = |c| match c {
            '%' => Wild::Any,
            '_' => Wild::One,
            c => Wild::Char(c),
        };
        text.chars().map(wild).collect()
    }

    /// Tries every way to take the text apart.
    fn naive(text: &[char], pattern: &[Wild]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((Wild::Any, rest)) => (0..=text.len()).any(|n| naive(&text[n..], rest)),
            Some((Wild::One, rest)) => !text.is_empty() && naive(&text[1..], rest),
            Some((Wild::Char(c), rest)) => text.first() == Some(c) && naive(&text[1..], rest),
        }
    }

    #[test]
    fn patterns_match_what_trying_every_split_matches() {
        let mut rng = crate::sandbox::rng::Rng::new(11);
        let mut matched = 0;
        for _ in 0..3_000 {
            let text: String = (0..rng.below(8)).map(|_| rng.pick(&["a", "b"])).collect();
            let shape: String = (0..rng.below(6)).map(|_| rng.pick(&["a", "b", "%", "_"])).collect();
            let expected = naive(&text.chars().collect::<Vec<_>>(), &pattern(&shape));
            assert_eq!(like(&text, &pattern(&shape)), expected, "{text} {shape}");
            matched += usize::from(expected);
        }
        assert!((300..2_700).contains(&matched), "both answers occur: {matched}");
    }

    #[test]
    fn null_is_a_value_or_unknown() {
        let x = || Some("x".to_owned());
        for (test, held, value, unknown) in [
            (Test::Equal(x()), None, Truth::False, Truth::Unknown),
            (Test::Equal(None), None, Truth::True, Truth::True),
            (Test::Equal(None), Some("x"), Truth::False, Truth::False),
            (Test::Equal(x()), Some("X"), Truth::True, Truth::True),
            (Test::Among(vec![x(), None]), None, Truth::True, Truth::True),
            (Test::Among(vec![x()]), None, Truth::False, Truth::Unknown),
            (Test::Among(vec![]), None, Truth::False, Truth::False),
            (Test::Like(pattern("%")), None, Truth::False, Truth::Unknown),
            (Test::Order(Order::Less, "b".into()), None, Truth::False, Truth::Unknown),
            (Test::Order(Order::Less, "b".into()), Some("A"), Truth::True, Truth::True),
        ] {
            assert_eq!((test.of(held, Nulls::Value), test.of(held, Nulls::Unknown)), (value, unknown), "{test:?}");
        }
    }
}
