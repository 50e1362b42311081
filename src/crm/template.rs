//! Path templates: `/customers/{id}` in, checked segments out.

use super::target::{MAX_SEGMENTS, is_segment_byte};

/// One segment of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Matches itself, byte for byte.
    Literal(String),
    /// Matches any segment.
    Variable(String),
}

/// A parsed template; `/` alone has no parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) parts: Vec<Part>,
}

/// Why a template was refused, and the byte at which.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TemplateError {
    pub(super) at: usize,
    pub(super) what: &'static str,
}

impl Template {
    /// Parses `text`, which starts with `/`.
    pub(super) fn parse(text: &str) -> Result<Self, TemplateError> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err(TemplateError { at: 0, what: "a path template starts with `/`" });
        };
        let mut template = Self { parts: Vec::new() };
        if rest.is_empty() {
            return Ok(template);
        }
        let mut at = 1;
        for segment in rest.split('/') {
            let error = |offset: usize, what| Err(TemplateError { at: at + offset, what });
            if template.parts.len() == MAX_SEGMENTS {
                return error(0, "more than 32 segments");
            }
            if matches!(segment, "" | "." | "..") {
                return error(0, "an empty or dot segment never matches: such targets are refused");
            }
            let part = if let Some(inner) = segment.strip_prefix('{') {
                let Some(name) = inner.strip_suffix('}') else {
                    return error(0, "a variable is a whole segment: `{name}`");
                };
                if !is_variable_name(name) {
                    return error(1, "a variable's name has lower-case letters, digits and `_`");
                }
                if template.variables().any(|before| before == name) {
                    return error(1, "this variable stands twice in the template");
                }
                Part::Variable(name.to_owned())
            } else {
                if let Some(offset) = segment.bytes().position(|byte| !is_segment_byte(byte)) {
                    return error(offset, "this character cannot stand in a path template");
                }
                Part::Literal(segment.to_owned())
            };
            template.parts.push(part);
            at += segment.len() + 1;
        }
        Ok(template)
    }

    /// The variables' names, in order.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Literal(_) => None,
        })
    }

    /// Whether both match the same paths, whatever their variables are called.
    pub(super) fn same_paths(&self, other: &Self) -> bool {
        self.parts.len() == other.parts.len()
            && self.parts.iter().zip(&other.parts).all(|pair| match pair {
                (Part::Literal(a), Part::Literal(b)) => a == b,
                (Part::Variable(_), Part::Variable(_)) => true,
                _ => false,
            })
    }

    /// Whether some path matches both and neither is the more specific one: `/a/{x}/c` and `/a/b/{y}`.
    pub(super) fn crosses(&self, other: &Self) -> bool {
        if self.parts.len() != other.parts.len() {
            return false;
        }
        let (mut mine, mut theirs) = (false, false);
        for pair in self.parts.iter().zip(&other.parts) {
            match pair {
                (Part::Literal(a), Part::Literal(b)) if a != b => return false,
                (Part::Literal(_), Part::Variable(_)) => mine = true,
                (Part::Variable(_), Part::Literal(_)) => theirs = true,
                _ => {}
            }
        }
        mine && theirs
    }

    /// Whether the two differ in nothing but the case of a literal.
    pub(super) fn differs_by_case(&self, other: &Self) -> bool {
        !self.same_paths(other)
            && self.parts.len() == other.parts.len()
            && self.parts.iter().zip(&other.parts).all(|pair| match pair {
                (Part::Literal(a), Part::Literal(b)) => a.eq_ignore_ascii_case(b),
                (Part::Variable(_), Part::Variable(_)) => true,
                _ => false,
            })
    }
}

fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text).unwrap()
    }

    #[test]
    fn templates_parse_or_name_the_place() {
        assert_eq!(template("/a/{id}/b").variables().collect::<Vec<_>>(), ["id"]);
        assert_eq!(template("/").parts, []);
        for (text, at) in [
            ("a", 0),
            ("/a/", 3),
            ("/a//b", 3),
            ("/a/../b", 3),
            ("/a/{id", 3),
            ("/a/{}", 4),
            ("/a/{Id}", 4),
            ("/{a}/{a}", 6),
            ("/a/b;c", 4),
            ("/a/x{id}", 4),
            ("/a/%41", 3),
        ] {
            assert_eq!(Template::parse(text).unwrap_err().at, at, "{text}");
        }
    }

    #[test]
    fn thirty_two_segments_pass_and_one_more_does_not() {
        assert!(Template::parse(&"/a".repeat(32)).is_ok());
        assert!(Template::parse(&"/a".repeat(33)).is_err());
    }

    #[test]
    fn templates_cross_when_neither_is_more_specific() {
        for (a, b, crosses) in [
            ("/a/{x}/c", "/a/b/{y}", true),
            ("/a/{x}/c", "/a/b/c", false),
            ("/a/{x}", "/a/b", false),
            ("/a/{x}/c", "/a/{y}/d", false),
            ("/{x}/b", "/a/{y}", true),
            ("/{x}/b", "/a/{y}/b", false),
        ] {
            assert_eq!(template(a).crosses(&template(b)), crosses, "{a} {b}");
        }
    }
}
