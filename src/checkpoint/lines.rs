//! On which line of a JSON text each key stands, which the JSON crate does not tell.

use std::collections::BTreeMap;

/// An open bracket: the path of what is inside.
struct Open {
    path: String,
    is_list: bool,
    items: usize,
}

/// The lines, from 1, of every key by its dotted path; a key that stands twice has two. Items of lists are numbered:
/// `architectures.0`.
///
/// The text must be valid JSON.
pub(super) fn lines(text: &str) -> BTreeMap<String, Vec<usize>> {
    let mut found: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut open: Vec<Open> = Vec::new();
    // The key whose value comes next.
    let mut key: Option<String> = None;
    let mut line = 1;
    let mut rest = text.char_indices().peekable();
    while let Some((at, letter)) = rest.next() {
        match letter {
            '\n' => line += 1,
            '"' => {
                let end = closing(text, at);
                while rest.next_if(|(next, _)| *next <= end).is_some() {}
                let is_key = text.get(end + 1..).is_some_and(|after| after.trim_start().starts_with(':'));
                if let (true, Some(inside)) = (is_key, open.last()) {
                    let word = text.get(at..=end).and_then(|quoted| serde_json::from_str::<String>(quoted).ok());
                    let path = join(&inside.path, &word.unwrap_or_default());
                    found.entry(path.clone()).or_default().push(line);
                    key = Some(path);
                }
            }
            '{' | '[' => {
                let path = key.take().unwrap_or_else(|| {
                    open.last().map_or_else(String::new, |list| join(&list.path, &list.items.to_string()))
                });
                open.push(Open { path, is_list: letter == '[', items: 0 });
            }
            '}' | ']' => {
                open.pop();
            }
            ',' => {
                key = None;
                if let Some(list) = open.last_mut().filter(|list| list.is_list) {
                    list.items += 1;
                }
            }
            _ => {}
        }
    }
    found
}

/// The place of the quote that closes the one at `start`.
fn closing(text: &str, start: usize) -> usize {
    let mut escaped = false;
    for (at, letter) in text.get(start + 1..).unwrap_or_default().char_indices() {
        let at = start + 1 + at;
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at,
            _ => {}
        }
    }
    text.len()
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_at_any_depth() {
        let text =
            "{\n  \"a\": { \"b\": [1, { \"c\": \"x\\\"}\" }],\n    \"d\": \"b: {\" },\n  \"a2\": true, \"é\\\"\": 1\n}";
        let lines = lines(text);
        let of = |key: &str| lines.get(key).map(Vec::as_slice);
        assert_eq!(of("a"), Some(&[2][..]));
        assert_eq!(of("a.b"), Some(&[2][..]));
        assert_eq!(of("a.b.1.c"), Some(&[2][..]));
        assert_eq!(of("a.d"), Some(&[3][..]));
        assert_eq!((of("a2"), of("é\""), of("b")), (Some(&[4][..]), Some(&[4][..]), None));
    }

    #[test]
    fn a_key_that_stands_twice_has_two_lines() {
        assert_eq!(lines("{\"a\": 1,\n\"b\": {\"a\": 2},\n\"a\": 3}")["a"], [1, 3]);
    }
}
