//! Values of every entity as people write them, with right check digits, and fillers that look like them.

use crate::{
    detect::{card, ids},
    model::Entity,
};

/// SplitMix64.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value ^ (value >> 31)
    }

    /// Below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap_or_default()
    }

    fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most + 1 - least)
    }

    pub(super) fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T
    where
        T: 't,
    {
        let place = self.below(of.len());
        // Every list here has an element.
        #[expect(clippy::indexing_slicing, reason = "below the length")]
        &of[place]
    }

    /// `form` with `#` any digit, `%` one but 0, `@` a capital, `&` a hexadecimal digit, `*` a letter or digit.
    fn form(&mut self, form: &str) -> String {
        let mut out = String::with_capacity(form.len());
        for sign in form.chars() {
            out.push(match sign {
                '#' => self.sign(b"0123456789"),
                '%' => self.sign(b"123456789"),
                '@' => self.sign(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
                '&' => self.sign(b"0123456789abcdef"),
                '*' => self.sign(b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789"),
                other => other,
            });
        }
        out
    }

    fn sign(&mut self, of: &[u8]) -> char {
        char::from(*self.pick(of))
    }

    fn date(&mut self) -> (usize, usize, usize) {
        (self.between(1940, 2005), self.between(1, 12), self.between(1, 28))
    }
}

/// A value of `entity`.
pub(super) fn of(entity: Entity, random: &mut Random) -> String {
    match entity {
        Entity::Card => card_number(random),
        Entity::Email => email(random),
        Entity::Phone => {
            let form = *random.pick(&PHONES);
            random.form(form)
        }
        Entity::Iban => iban(random),
        Entity::UsSsn => loop {
            let (area, group, serial) = (random.between(1, 899), random.between(1, 99), random.between(1, 9999));
            if area != 666 {
                break format!("{area:03}-{group:02}-{serial:04}");
            }
        },
        Entity::Passport => form(random, &["C%@######", "@@#######", "@%######", "%########"]),
        Entity::DrivingLicence => form(random, &["@#######", "@%##@@#@###", "@@@@@657054@@9@@", "@@%######@"]),
        Entity::BirthDate => birth_date(random),
        Entity::BankAccount => form(random, &["%#######", "%########", "%#########", "%### ####"]),
        Entity::Ip => match random.below(4) {
            0 => random.form("2001:db8:1&&&:&&&&::2&&"),
            _ => {
                let (a, b) = (random.between(20, 223), random.below(256));
                format!("{a}.{b}.{}.{}", random.below(256), random.between(1, 254))
            }
        },
        Entity::Mac => form(random, &["&&:&&:&&:&&:&&:%&", "&&-&&-&&-&&-&&-%a", "&&&&.&&&&.&&%a"]),
        Entity::Secret => secret(random),
        id => national(id, random),
    }
}

fn form(random: &mut Random, forms: &[&str]) -> String {
    let form = *random.pick(forms);
    random.form(form)
}

fn card_number(random: &mut Random) -> String {
    let form = *random.pick(&CARDS);
    // The last digit is what makes it right.
    loop {
        let number = random.form(form);
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        if card::luhn(digits.as_bytes()) {
            return number;
        }
    }
}

fn email(random: &mut Random) -> String {
    let (first, last) = (*random.pick(&FIRST), *random.pick(&LAST));
    let domain = *random.pick(&DOMAINS);
    let number = random.between(1, 99);
    match random.below(6) {
        0 => format!("{first}.{last}@{domain}"),
        1 => format!("{first}{number}@{domain}"),
        2 => format!("{}{last}@{domain}", first.get(..1).unwrap_or_default()),
        3 => format!("{first}_{last}+crm@{domain}"),
        4 => format!("{}.{}@{domain}", first.to_uppercase(), last.to_uppercase()),
        _ => format!("{last}-{number}@mail.{domain}"),
    }
}

fn iban(random: &mut Random) -> String {
    let (country, form) = *random.pick(&IBANS);
    let account = random.form(form);
    let value = |text: &str| {
        text.bytes().fold(0_u32, |rest, byte| match byte {
            b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
            _ => (rest * 100 + u32::from(byte.saturating_sub(b'A')) + 10) % 97,
        })
    };
    let check = 98 - value(&format!("{account}{country}00"));
    let number = format!("{country}{check:02}{account}");
    match random.below(4) {
        0 => number,
        1 => number.to_ascii_lowercase(),
        _ => grouped(&number, 4),
    }
}

fn grouped(text: &str, size: usize) -> String {
    let mut out = String::new();
    for (place, sign) in text.chars().enumerate() {
        if place > 0 && place % size == 0 {
            out.push(' ');
        }
        out.push(sign);
    }
    out
}

fn birth_date(random: &mut Random) -> String {
    let (year, month, day) = random.date();
    match random.below(4) {
        0 => format!("{year}-{month:02}-{day:02}"),
        1 => format!("{day:02}/{month:02}/{year}"),
        2 => format!("{day}.{month}.{year}"),
        _ => format!("{day:02}.{month:02}.{year}"),
    }
}

fn secret(random: &mut Random) -> String {
    match random.below(6) {
        0 => random.form("AKIA@%@%@@%@%@@%@%@@"),
        1 => random.form("ghp_***%********************************"),
        2 => random.form("xoxb-%###########-%############-************************"),
        3 => random.form("sk_live_%***********************"),
        4 => random.form("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI%********************.%******************************"),
        _ => format!("{}{}", random.pick(&["Sunny", "Winter", "Haus", "Blue", "Gato", "Kot"]), random.form("%###")),
    }
}

/// An id of a state: random until its check digits are right, then set as its country sets it.
fn national(entity: Entity, random: &mut Random) -> String {
    let (year, month, day) = random.date();
    let short = year % 100;
    loop {
        let number = match entity {
            Entity::EsNif => form(random, &["%#######@", "X%######@", "Y#######@"]),
            Entity::ItFiscalCode => {
                let month = random.sign(b"ABCDEHLMPRST");
                format!("{}{short:02}{month}{day:02}{}", random.form("@@@@@@"), random.form("@%##@"))
            }
            Entity::FrNir => format!("{}{short:02}{month:02}{}", random.between(1, 2), random.form("%#########")),
            Entity::BeRrn | Entity::PlPesel => format!("{short:02}{month:02}{day:02}{}", random.form("#####")),
            Entity::FiHetu => {
                let check = random.sign(b"0123456789ABCDEFHJKLMNPRSTUVWXY");
                format!("{day:02}{month:02}{short:02}-{}{check}", random.between(100, 899))
            }
            Entity::SePersonnummer => format!("{short:02}{month:02}{day:02}{}", random.form("####")),
            Entity::ZaId => format!("{short:02}{month:02}{day:02}{}", random.form("####08#")),
            Entity::RoCnp => {
                let (sex, county) = (random.between(1, 2), random.between(1, 46));
                format!("{sex}{short:02}{month:02}{day:02}{county:02}{}", random.form("####"))
            }
            Entity::KrRrn => format!("{short:02}{month:02}{day:02}{}{}", random.between(1, 2), random.form("######")),
            Entity::ChAhv => random.form("756##########"),
            Entity::UkNino => format!("{}{}", random.form("@@######"), random.sign(b"ABCD")),
            Entity::InPan => format!("{}{}{}", random.form("@@@"), random.sign(b"PCHF"), random.form("@%###@")),
            Entity::BrCnpj => random.form("%#######0001##"),
            Entity::InAadhaar => random.form("%###########"),
            Entity::UkNhs => random.form("%#########"),
            Entity::DeTaxId | Entity::HrOib | Entity::BrCpf | Entity::TrTckn => random.form("%##########"),
            _ => random.form("%########"),
        };
        if ids::is_right(entity, number.as_bytes()) {
            return set(entity, &number, random);
        }
    }
}

/// As its country sets it, or in one piece.
fn set(entity: Entity, number: &str, random: &mut Random) -> String {
    let pattern = match entity {
        Entity::FrNir => "0 00 00 00 000 000 00",
        Entity::BeRrn => "00.00.00-000.00",
        Entity::SePersonnummer => "000000-0000",
        Entity::BrCpf => "000.000.000-00",
        Entity::BrCnpj => "00.000.000/0000-00",
        Entity::CaSin | Entity::AuTfn => "000 000 000",
        Entity::InAadhaar => "0000 0000 0000",
        Entity::UkNhs => "000 000 0000",
        Entity::KrRrn => "000000-0000000",
        Entity::ChAhv => "000.0000.0000.00",
        Entity::UkNino => "00 00 00 00 0",
        Entity::DeTaxId => "00 000 000 000",
        _ => return number.to_owned(),
    };
    if random.below(3) == 0 {
        return number.to_owned();
    }
    let mut signs = number.chars();
    pattern.chars().filter_map(|sign| if sign == '0' { signs.next() } else { Some(sign) }).collect()
}

/// What stands in a slot that is no entity.
pub(super) fn filler(slot: &str, random: &mut Random) -> String {
    let (year, month, day) = (random.between(2019, 2027), random.between(1, 12), random.between(1, 28));
    let (hour, minute) = (random.below(24), random.below(60));
    match slot {
        "name" => {
            let (first, last) = (*random.pick(&FIRST), *random.pick(&LAST));
            format!("{} {}", capitalised(first), capitalised(last))
        }
        "order" => form(random, &ORDERS),
        "long" => {
            let digits = random.between(9, LONG.len());
            random.form(LONG.get(..digits).unwrap_or(LONG))
        }
        "invoice" => form(random, &["2026-#####", "RE-%#####", "INV%######", "2026/#####", "%#########"]),
        "tracking" => form(random, &TRACKING),
        "isbn" => article(random, &["978-3-16-######-#", "9783#########", "978-0-##-######-#"]),
        "ean" => article(random, &["400##########", "871##########", "501##########"]),
        "imei" => form(random, &["35%############", "35-%#####-######-#"]),
        "uuid" => random.form("&&&&&&&&-&&&&-4&&&-a&&&-&&&&&&&&&&&&"),
        "hash" => random.form("&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&&"),
        "sku" => form(random, &["@@-%###-@", "@@@%##", "@%######-#", "%##-@@@-##"]),
        "epoch" => form(random, &["176#######", "176##########", "176#######.###"]),
        "stamp" => {
            let (second, millis) = (random.below(60), random.below(1000));
            format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
        }
        "version" => form(random, &["%.##.#", "%.#.#.##", "2026.#.%", "%.#.#-rc%"]),
        "coordinates" => {
            let (north, east) = (random.between(36, 60), random.between(1, 25));
            format!("{north}.{}, {east}.{}", random.form("######"), random.form("#######"))
        }
        "date" => match random.below(4) {
            0 => format!("{year}-{month:02}-{day:02}"),
            1 => format!("{day:02}.{month:02}.{year}"),
            2 => format!("{month}/{day}/{year}"),
            _ => format!("{day} May {year}"),
        },
        "expiry" => format!("{month:02}/{:02}", random.between(26, 31)),
        "time" => format!("{hour:02}:{minute:02}"),
        "amount" => form(random, &["EUR %#.##", "$%##.00", "%.###,## €", "%##,## zł", "GBP %,###.##", "%#.##"]),
        _ => form(random, &["%", "%#", "%##", "%###", "%####"]),
    }
}

/// The number of an article, with its check digit.
fn article(random: &mut Random, forms: &[&str]) -> String {
    loop {
        let number = form(random, forms);
        let weighted = |(place, digit): (usize, u8)| u32::from(digit - b'0') * if place % 2 == 0 { 1 } else { 3 };
        if number.bytes().filter(u8::is_ascii_digit).enumerate().map(weighted).sum::<u32>().is_multiple_of(10) {
            return number;
        }
    }
}

fn capitalised(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
pub(super) const FILLERS: [&str; 20] = [
    "name",
    "order",
    "long",
    "invoice",
    "tracking",
    "isbn",
    "ean",
    "imei",
    "uuid",
    "hash",
    "sku",
    "epoch",
    "stamp",
    "version",
    "coordinates",
    "date",
    "expiry",
    "time",
    "amount",
    "number",
];

const FIRST: [&str; 20] = [
    "mira", "oskar", "lena", "tomasz", "ines", "paolo", "femke", "aino", "rui", "zeynep", "karl", "agnes", "dario",
    "noor", "elif", "bram", "sofia", "viktor", "yara", "hugo",
];
const LAST: [&str; 20] = [
    "feldmann",
    "okonjo",
    "lindqvist",
    "wrona",
    "barros",
    "castellan",
    "deboer",
    "virta",
    "novakov",
    "yildirim",
    "hartwell",
    "marchetti",
    "duval",
    "serrano",
    "kowal",
    "pinheiro",
    "sandoval",
    "brandt",
    "eklund",
    "moreau",
];
const DOMAINS: [&str; 10] = [
    "example.com",
    "example.org",
    "mail.example.net",
    "firma.example.de",
    "shop.example.co.uk",
    "example.fr",
    "correo.example.es",
    "posta.example.it",
    "poczta.example.pl",
    "bedrijf.example.nl",
];
/// Visa, Mastercard old and new, American Express, Discover, JCB, Diners, Maestro, UnionPay; in one piece and set.
const CARDS: [&str; 16] = [
    "4### #### #### ####",
    "4###############",
    "4###-####-####-####",
    "51## #### #### ####",
    "53##############",
    "223#############",
    "234# #### #### ####",
    "37## ###### #####",
    "34#############",
    "6011 #### #### ####",
    "6011############",
    "353#############",
    "3609 ###### ####",
    "6759############",
    "4##################",
    "620#############",
];
const IBANS: [(&str, &str); 12] = [
    ("DE", "##################"),
    ("FR", "##########@############"),
    ("ES", "####################"),
    ("IT", "@######################"),
    ("NL", "@@@@##########"),
    ("PL", "########################"),
    ("GB", "@@@@##############"),
    ("BE", "############"),
    ("CH", "#################"),
    ("SE", "####################"),
    ("PT", "#####################"),
    ("AT", "################"),
];
const PHONES: [&str; 26] = [
    "+49 151 %#######",
    "+49 30 %######",
    "0171 %######",
    "030 %#######",
    "0151/%#######",
    "+1 (212) 55%-####",
    "(415) 55%-####",
    "312-555-####",
    "646.55%.####",
    "+1-617-55%-####",
    "+44 20 7946 ####",
    "07700 9#####",
    "020 7946 ####",
    "+33 6 ## ## ## ##",
    "06 ## ## ## ##",
    "01.49.##.##.##",
    "+34 612 ### ###",
    "+39 333 %######",
    "+31 6 %#######",
    "06-%#######",
    "+48 601 ### ###",
    "+55 11 9%###-####",
    "+41 79 %## ## ##",
    "+351 912 ### ###",
    "0049151%#######",
    "+46 70 %## ## ##",
];
const ORDERS: [&str; 8] =
    ["%####", "%######", "%#######", "%########", "%##-#######-#######", "SO-%#####", "%###-#####", "A%######"];
/// Nine to 19 digits.
const LONG: &str = "%##################";
const TRACKING: [&str; 5] = [
    "1Z###@@%##########",
    "00340434############",
    "RR%########DE",
    "9400 1### #### #### #### ##",
    "JD0146############",
];
