//! The ids that are written in digits alone: lengths, ways to set them, check digits, and how far each speaks for itself.

use std::{ops::RangeInclusive, sync::LazyLock};

use super::check;
use crate::{
    detect::{
        chain::{Gap, Group},
        sought::Sought,
        topics::Topic,
    },
    model::Entity,
};

/// How a number is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Digits without a gap.
    Bare,
    /// In the groups that its country sets it in.
    Set,
}

/// One kind of id.
pub(super) struct Id {
    pub(super) entity: Entity,
    pub(super) topic: Topic,
    pub(super) digits: RangeInclusive<usize>,
    /// Sizes of groups and the gaps between them: `.`, `-`, `/`, `_` for a space, `:` for any one of space, dash and dot.
    sets: &'static [&'static str],
    pub(super) check: fn(&[u8]) -> bool,
    /// Score without a word, in one piece.
    pub(super) bare: u8,
    /// Score without a word, set in groups.
    pub(super) set: u8,
}

impl Id {
    /// Whether `groups` are set as this id is.
    pub(super) fn sets(&self, groups: &[Group]) -> bool {
        self.sets.iter().any(|set| fits(set, groups))
    }
}

/// Some of [`IDS`]: a bit for each.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::detect) struct Kinds(u32);

impl Kinds {
    /// Those that are looked for.
    pub(in crate::detect) fn sought(sought: &Sought) -> Self {
        Self::which(|id| sought.has(id.entity))
    }

    /// Those that have so many digits.
    pub(super) fn of(self, digits: usize) -> Self {
        Self(self.0 & OF_DIGITS.get(digits).map_or(0, |kinds| kinds.0))
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn ids(self) -> impl Iterator<Item = &'static Id> {
        (0..).zip(&IDS).filter(move |(place, _)| self.0 >> place & 1 == 1).map(|(_, id)| id)
    }

    fn which(counts: impl Fn(&Id) -> bool) -> Self {
        Self((0..).zip(&IDS).filter(|(_, id)| counts(id)).fold(0, |kinds, (place, _): (u32, _)| kinds | 1 << place))
    }
}

/// Which ids have so many digits.
static OF_DIGITS: LazyLock<[Kinds; 16]> =
    LazyLock::new(|| std::array::from_fn(|digits| Kinds::which(|id| id.digits.contains(&digits))));

fn fits(set: &str, groups: &[Group]) -> bool {
    let mut signs = set.bytes();
    // All the `:` of a layout stand for the same gap.
    let mut common = None;
    for (place, group) in groups.iter().enumerate() {
        if place > 0 {
            let gap = match signs.next() {
                Some(b'.') => Gap::Dot,
                Some(b'-') => Gap::Dash,
                Some(b'/') => Gap::Slash,
                Some(b'_') => Gap::Space,
                Some(b':') => *common.get_or_insert(group.gap),
                _ => return false,
            };
            if group.gap != gap || !matches!(gap, Gap::Dot | Gap::Dash | Gap::Slash | Gap::Space) {
                return false;
            }
        }
        if signs.next() != u8::try_from(group.len()).ok().map(|size| b'0' + size) {
            return false;
        }
    }
    signs.next().is_none()
}

macro_rules! ids {
    ($($entity:ident $digits:expr, [$($set:literal),*], $check:ident, $bare:literal, $sets:literal;)*) => {
        pub(super) static IDS: [Id; [$(Entity::$entity),*].len()] = [$(Id {
            entity: Entity::$entity,
            topic: Topic::$entity,
            digits: $digits,
            sets: &[$($set),*],
            check: check::$check,
            bare: $bare,
            set: $sets,
        }),*];
    };
}

// A score below 60 does not count without a word. How often random digits pass decides: 1 in 10 (a check digit) is 40, 1 in
// 100 is 50, a date and a check digit (1 in 300 and fewer) is 55; the setting of a country adds to it.
ids! {
    DeTaxId        11..=11, ["2_3_3_3", "2/3/3/3"], de_tax_id, 45, 70;
    FrNir          15..=15, ["1:2:2:2:3:3:2", "1_2_2_2_6_2", "13_2", "13-2"], fr_nir, 72, 88;
    BeRrn          11..=11, ["2.2.2-3.2", "6-3-2", "2.2.2-3-2", "2-2-2-3-2", "6_3_2", "6-5", "6-3.2"], be_rrn, 58, 88;
    NlBsn          8..=9,   ["4.2.3", "4.2.2", "3.3.3", "3_3_3"], nl_bsn, 40, 45;
    PlPesel        11..=11, [], pl_pesel, 55, 55;
    SePersonnummer 10..=12, ["6-4", "8-4"], se_personnummer, 50, 80;
    ZaId           13..=13, ["6_4_2_1", "6_4_3", "6-4-2-1", "6-4-3"], za_id, 55, 85;
    PtNif          9..=9,   ["3_3_3"], pt_nif, 40, 45;
    RoCnp          13..=13, [], ro_cnp, 55, 55;
    HrOib          11..=11, [], hr_oib, 40, 40;
    BrCpf          11..=11, ["3.3.3-2", "3_3_3_2", "3.3.3.2"], br_cpf, 50, 90;
    BrCnpj         14..=14, ["2.3.3/4-2", "8/4-2"], br_cnpj, 50, 92;
    CaSin          9..=9,   ["3:3:3"], ca_sin, 40, 50;
    AuTfn          8..=9,   ["3:3:3", "3:3:2"], au_tfn, 40, 50;
    InAadhaar      12..=12, ["4:4:4"], in_aadhaar, 45, 66;
    UkNhs          10..=10, ["3:3:4"], uk_nhs, 40, 45;
    TrTckn         11..=11, [], tr_tckn, 50, 50;
    KrRrn          13..=13, ["6-7"], kr_rrn, 50, 82;
    KrRrn          13..=13, ["6-7"], kr_rrn_since_2020, 30, 62;
    ChAhv          13..=13, ["3.4.4.2", "3_4_4_2"], ch_ahv, 75, 92;
}
