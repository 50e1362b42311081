//! Check digits and dates of national ids; all take ASCII digits of a length their kind has.

/// Germany: at most one digit stands twice or three times among the first ten, ISO/IEC 7064 MOD 11,10.
pub(super) fn de_tax_id(number: &[u8]) -> bool {
    if number.first() == Some(&b'0') || !mod_11_10(number) {
        return false;
    }
    let mut counts = [0_u8; 10];
    for digit in number.iter().take(10) {
        if let Some(count) = counts.get_mut(value(digit) as usize) {
            *count += 1;
        }
    }
    let twice = counts.iter().filter(|count| **count == 2).count();
    let thrice = counts.iter().filter(|count| **count == 3).count();
    let more = counts.iter().any(|count| *count > 3);
    twice + thrice <= 1 && !more
}

/// Croatia: ISO/IEC 7064 MOD 11,10.
pub(super) fn hr_oib(number: &[u8]) -> bool {
    mod_11_10(number) && !all_equal(number)
}

/// France: 97 less the rest of the number by 97; sex, month and département are possible.
pub(super) fn fr_nir(number: &[u8]) -> bool {
    let (Some(head), Some(key)) = (number.get(..13), number.get(13..)) else { return false };
    let month = part(number, 3, 5);
    let sex = matches!(number.first(), Some(b'1' | b'2' | b'3' | b'4' | b'7' | b'8'));
    let month = (1..=12).contains(&month) || (20..=42).contains(&month) || month >= 50;
    sex && month && part(number, 5, 7) > 0 && 97 - decimal(head) % 97 == decimal(key)
}

/// Belgium: 97 less the rest by 97, of the number or (born from 2000 on) of `2` and the number; a date.
pub(super) fn be_rrn(number: &[u8]) -> bool {
    let (Some(head), Some(key)) = (number.get(..9), number.get(9..)) else { return false };
    let month = part(number, 2, 4);
    let (before, after) = (decimal(head), decimal(head) + 2_000_000_000);
    // 20 or 40 is added to the month for people who do not live there.
    let dated = month % 20 <= 12 && month <= 52 && part(number, 4, 6) <= 31;
    dated && decimal(head) > 0 && [before, after].iter().any(|value| 97 - value % 97 == decimal(key))
}

/// Netherlands: weighted sum by 11, the last weight is −1.
pub(super) fn nl_bsn(number: &[u8]) -> bool {
    let weights: &[i64] = if number.len() == 9 { &[9, 8, 7, 6, 5, 4, 3, 2, -1] } else { &[8, 7, 6, 5, 4, 3, 2, -1] };
    weighted(number, weights) % 11 == 0 && !all_equal(number)
}

/// Poland: weights 1, 3, 7, 9; the century is in the month.
pub(super) fn pl_pesel(number: &[u8]) -> bool {
    let month = part(number, 2, 4);
    let dated = is_day(month % 20, part(number, 4, 6)) && month < 93;
    dated && weighted(number, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 == 0
}

/// Sweden: Luhn over the last ten digits; 60 is added to the day of a coordination number.
pub(super) fn se_personnummer(number: &[u8]) -> bool {
    let Some(short) = number.len().checked_sub(10).and_then(|from| number.get(from..)) else { return false };
    let century = match number.len() {
        10 => true,
        12 => (18..=20).contains(&part(number, 0, 2)),
        _ => false,
    };
    let day = part(short, 4, 6);
    century && is_day(part(short, 2, 4), if day > 60 { day - 60 } else { day }) && luhn(short)
}

/// South Africa: Luhn; a date; citizen, resident or refugee.
pub(super) fn za_id(number: &[u8]) -> bool {
    is_day(part(number, 2, 4), part(number, 4, 6)) && part(number, 10, 11) <= 2 && luhn(number)
}

/// Portugal: weights 9 to 2 by 11.
pub(super) fn pt_nif(number: &[u8]) -> bool {
    let sum = weighted(number, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    let check = if sum < 2 { 0 } else { 11 - sum };
    let kind = matches!(number.first(), Some(b'1' | b'2' | b'3' | b'5' | b'6' | b'8' | b'9'))
        || matches!(part(number, 0, 2), 45 | 70..=79);
    kind && i64::from(part(number, 8, 9)) == check && !all_equal(number)
}

/// Romania: weights 279146358279 by 11; sex and century, date, county.
pub(super) fn ro_cnp(number: &[u8]) -> bool {
    let sum = weighted(number, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    let check = if sum == 10 { 1 } else { sum };
    let county = part(number, 7, 9);
    part(number, 0, 1) >= 1
        && is_day(part(number, 3, 5), part(number, 5, 7))
        && ((1..=52).contains(&county) || county == 70)
        && i64::from(part(number, 12, 13)) == check
}

/// Brazil, people: two check digits.
pub(super) fn br_cpf(number: &[u8]) -> bool {
    let check = |weights: &[i64]| weighted(number, weights) * 10 % 11 % 10;
    check(&[10, 9, 8, 7, 6, 5, 4, 3, 2]) == i64::from(part(number, 9, 10))
        && check(&[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) == i64::from(part(number, 10, 11))
        && !all_equal(number)
}

/// Brazil, firms: two check digits; capitals count 17 and up (from July 2026 on).
pub(super) fn br_cnpj(number: &[u8]) -> bool {
    let worth = |byte: &u8| i64::from(byte.saturating_sub(b'0'));
    let check = |weights: &[i64]| {
        let rest = number.iter().zip(weights).map(|(byte, weight)| worth(byte) * weight).sum::<i64>() % 11;
        if rest < 2 { 0 } else { 11 - rest }
    };
    number.len() == 14
        && check(&[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == i64::from(part(number, 12, 13))
        && check(&[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == i64::from(part(number, 13, 14))
        && !all_equal(number)
}

/// Canada: Luhn; 0 and 8 are not given out.
pub(super) fn ca_sin(number: &[u8]) -> bool {
    !matches!(number.first(), Some(b'0' | b'8')) && luhn(number) && !all_equal(number)
}

/// Australia: weighted sum by 11.
pub(super) fn au_tfn(number: &[u8]) -> bool {
    let weights: &[i64] = if number.len() == 9 { &[1, 4, 3, 7, 5, 8, 6, 9, 10] } else { &[10, 7, 8, 4, 6, 3, 5, 1] };
    weighted(number, weights) % 11 == 0 && !all_equal(number)
}

/// India: Verhoeff; 0 and 1 do not come first.
pub(super) fn in_aadhaar(number: &[u8]) -> bool {
    let palindrome = number.iter().eq(number.iter().rev());
    number.first() >= Some(&b'2') && !palindrome && verhoeff(number)
}

/// United Kingdom, health service: weights 10 to 2 by 11.
pub(super) fn uk_nhs(number: &[u8]) -> bool {
    let check = 11 - weighted(number, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    i64::from(part(number, 9, 10)) == if check == 11 { 0 } else { check } && !all_equal(number)
}

/// Turkey: two check digits.
pub(super) fn tr_tckn(number: &[u8]) -> bool {
    let odd = weighted(number, &[1, 0, 1, 0, 1, 0, 1, 0, 1]);
    let even = weighted(number, &[0, 1, 0, 1, 0, 1, 0, 1]);
    let sum = weighted(number, &[1; 10]);
    number.first() != Some(&b'0')
        && (odd * 7 - even).rem_euclid(10) == i64::from(part(number, 9, 10))
        && sum % 10 == i64::from(part(number, 10, 11))
}

/// Korea: a date, sex and century, region; the check digit, which numbers have that were given until October 2020.
pub(super) fn kr_rrn(number: &[u8]) -> bool {
    let check = (11 - weighted(number, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11) % 10;
    kr_rrn_since_2020(number) && part(number, 7, 9) <= 95 && check == i64::from(part(number, 12, 13))
}

/// Korea: a date, sex and century; the rest is random.
pub(super) fn kr_rrn_since_2020(number: &[u8]) -> bool {
    is_day(part(number, 2, 4), part(number, 4, 6)) && (1..=4).contains(&part(number, 6, 7))
}

/// Switzerland: country 756, the check digit of EAN-13.
pub(super) fn ch_ahv(number: &[u8]) -> bool {
    number.starts_with(b"756") && weighted(number, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]) % 10 == 0
}

/// The Luhn check (ISO/IEC 7812-1 annex B).
fn luhn(number: &[u8]) -> bool {
    let doubled = |(place, digit): (usize, &u8)| {
        let value = value(digit) << (place & 1);
        if value > 9 { value - 9 } else { value }
    };
    number.iter().rev().enumerate().map(doubled).sum::<u32>().is_multiple_of(10)
}

/// ISO/IEC 7064 MOD 11,10.
fn mod_11_10(number: &[u8]) -> bool {
    let Some((last, head)) = number.split_last() else { return false };
    let product = head.iter().fold(10, |product, digit| {
        let sum = (value(digit) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == value(last)
}

/// Verhoeff's check: the dihedral group of ten elements.
fn verhoeff(number: &[u8]) -> bool {
    let product = |a: u32, b: u32| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b) % 5 + 5,
        (false, true) => (a + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let permuted = |place: usize, digit: u32| {
        (0..place % 8).fold(digit, |digit, _| PERMUTATION.get(digit as usize).copied().unwrap_or_default())
    };
    number.iter().rev().enumerate().fold(0, |check, (place, digit)| product(check, permuted(place, value(digit)))) == 0
}

const PERMUTATION: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];

pub(super) fn is_day(month: u32, day: u32) -> bool {
    let days = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

fn weighted(number: &[u8], weights: &[i64]) -> i64 {
    number.iter().zip(weights).map(|(digit, weight)| i64::from(value(digit)) * weight).sum()
}

/// The value of the digits `from..to`.
pub(super) fn part(number: &[u8], from: usize, to: usize) -> u32 {
    number.get(from..to).unwrap_or_default().iter().fold(0, |sum, digit| sum * 10 + value(digit))
}

pub(super) fn decimal(number: &[u8]) -> u64 {
    number.iter().fold(0, |sum, digit| sum * 10 + u64::from(value(digit)))
}

fn all_equal(number: &[u8]) -> bool {
    number.iter().all(|digit| Some(digit) == number.first())
}

fn value(digit: &u8) -> u32 {
    u32::from(digit.wrapping_sub(b'0'))
}
