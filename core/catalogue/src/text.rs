//! Names as people write them.

/// A region name in the form ids use: `East US` becomes `eastus`.
#[must_use]
pub fn region_name(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect()
}

/// A name reduced to letters and digits in lower case.
pub(crate) fn key(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// True when two names differ only in case, spaces and punctuation.
#[must_use]
pub fn same_name(a: &str, b: &str) -> bool {
    key(a) == key(b)
}

/// The candidate that `text` most likely means: fewest edits, and at most about a third of its letters
/// wrong. The first of equals wins.
#[must_use]
pub fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = key(text);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other = key(candidate);
        let edits = distance(&wanted, &other);
        let allowed = (wanted.chars().count().max(other.chars().count()) / 3).max(1);
        let containing = wanted.len() >= 4 && (other.contains(&wanted) || wanted.contains(&other));
        if (edits <= allowed || containing) && best.is_none_or(|(least, _)| edits < least) {
            best = Some((edits, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Insertions, deletions and substitutions that turn `a` into `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, cb) in row.iter_mut().skip(1).zip(&b) {
            let above = *cell;
            left = (above + 1)
                .min(left + 1)
                .min(diagonal + usize::from(ca != *cb));
            diagonal = above;
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_textbook() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn the_nearest_name_is_found_and_nonsense_is_not() {
        let names = ["Equinix", "Megaport", "Oracle Cloud FastConnect"];
        assert_eq!(nearest("Equinox", names), Some("Equinix"));
        assert_eq!(nearest("Oracle FastConnect", names), Some(names[2]));
        assert_eq!(nearest("Zzzzzzz", names), None);
        assert!(same_name("Washington DC", "washington-dc"));
        assert_eq!(region_name("East US 2"), "eastus2");
    }
}
