//! Which known name somebody meant.

/// The known name that is nearest to what was written, if any is near: at most a third of its letters differ.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = known.iter().map(|known| (edits(name, known), *known)).min_by_key(|(edits, _)| *edits);
    near.filter(|(edits, known)| *edits <= (known.chars().count() / 3).max(1)).map(|(_, known)| known)
}

/// The number of insertions, deletions, replacements and swaps of neighbours between two words, case aside.
pub(crate) fn edits(a: &str, b: &str) -> usize {
    let letters = |word: &str| -> Vec<char> { word.chars().take(64).flat_map(char::to_lowercase).collect() };
    let (a, b) = (letters(a), letters(b));
    // The rows of the dynamic programme for the two letters before the current one, and for the current one.
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (row[j] + usize::from(x != y)).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_count_swaps_once() {
        assert_eq!(edits("factr", "factor"), 1);
        assert_eq!(edits("fatcor", "factor"), 1);
        assert_eq!(edits("Factor", "factor"), 0);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", ""), 3);
        assert_eq!(edits("kitten", "sitting"), 3);
    }
}
