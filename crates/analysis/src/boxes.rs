//! Rewrites free names into properties of boxes, which several functions can share.

use oxc_allocator::Allocator;

use crate::stack::with_room;
use crate::text::parse;
use crate::uses::{How, Uses};

/// Rewrites every use of each of these free names, `name` → `name.v`. An error is the parser's first complaint.
///
/// What is called stays a call without `this`: `name()` → `(0, name.v)()`. A function that is assigned to such a name
/// where it is written no longer gets it as its own.
pub fn box_names(text: &str, names: &[String]) -> Result<String, String> {
    with_room(text, || rewrite(text, names))
}

fn rewrite(text: &str, names: &[String]) -> Result<String, String> {
    let allocator = Allocator::default();
    let parsed = parse(&allocator, text)?;
    let uses = Uses::of(parsed.subject, &parsed.scoping);
    let mut insertions: Vec<(u32, String)> = Vec::new();
    for it in uses.names.iter().chain(&uses.aside) {
        if !names.iter().any(|name| name == it.name.as_str()) {
            continue;
        }
        match it.how {
            How::Shorthand => insertions.push((it.span.end, format!(": {}.v", it.name))),
            How::Called => {
                // A line that begins with a parenthesis would go on with the line before it.
                let begins = uses
                    .sequels
                    .iter()
                    .find(|(start, _)| *start == it.span.start);
                if let Some((_, end)) = begins {
                    let last = parsed
                        .source
                        .as_bytes()
                        .get((*end as usize).saturating_sub(1));
                    if last != Some(&b';') {
                        insertions.push((*end, ";".to_owned()));
                    }
                }
                insertions.push((it.span.start, "(0, ".to_owned()));
                insertions.push((it.span.end, ".v)".to_owned()));
            }
            How::Plain | How::Typeof | How::Member { .. } => {
                insertions.push((it.span.end, ".v".to_owned()));
            }
        }
    }
    // Stable: a `;` that ends a statement comes after what was put behind that statement's last name.
    insertions.sort_by_key(|(at, _)| *at);
    Ok(insert(text, parsed.prefix, &insertions))
}

/// `insertions` are sorted, and count from `prefix` bytes before the text.
fn insert(text: &str, prefix: u32, insertions: &[(u32, String)]) -> String {
    let mut out = String::with_capacity(text.len() + insertions.len() * 8);
    let mut done = 0;
    for (at, piece) in insertions {
        let at = (at.saturating_sub(prefix)) as usize;
        out.push_str(text.get(done..at).unwrap_or_default());
        out.push_str(piece);
        done = at;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}
