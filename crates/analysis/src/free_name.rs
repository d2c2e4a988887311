//! A name that a function uses and does not declare.

use oxc_str::Ident;

use crate::offsets::Offsets;
use crate::uses::{How, Use};

/// A free name, and how it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreeName {
    /// As JavaScript sees it, escapes resolved.
    pub name: String,
    /// Of the first use.
    pub at: u32,
    /// The function can live without it: it is used under `typeof` somewhere, or it may be the name of a function in a
    /// block, which sloppy code sees outside of that block as well.
    pub is_optional: bool,
    /// Something is assigned to it.
    pub is_assigned: bool,
    /// Every use reads a member of it whose name is written there.
    pub has_members: bool,
    /// Some such member is called at once, so that it sees the whole as `this`.
    pub is_receiver: bool,
    /// Those members, in order of first appearance; empty without `has_members`.
    pub members: Vec<String>,
}

/// Each free name once, in order of first appearance.
pub(crate) fn free_names(
    mut uses: Vec<Use<'_>>,
    block_functions: &[Ident<'_>],
    offsets: &Offsets,
) -> Vec<FreeName> {
    uses.sort_by_key(|it| it.span.start);
    let mut names: Vec<FreeName> = Vec::new();
    for it in uses {
        let name = it.name.as_str();
        let known = names.iter().position(|known| known.name == name);
        let at = known.unwrap_or(names.len());
        if known.is_none() {
            names.push(FreeName {
                name: name.to_owned(),
                at: offsets.at(it.span.start),
                is_optional: block_functions.contains(&it.name),
                is_assigned: false,
                has_members: true,
                is_receiver: false,
                members: Vec::new(),
            });
        }
        let Some(free) = names.get_mut(at) else {
            continue;
        };
        free.is_assigned |= it.is_assigned;
        match it.how {
            How::Member { name, is_called } => {
                free.is_receiver |= is_called;
                if !free.members.iter().any(|known| known == name) {
                    free.members.push(name.to_owned());
                }
            }
            How::Typeof => {
                free.is_optional = true;
                free.has_members = false;
            }
            How::Plain | How::Called | How::Shorthand => free.has_members = false,
        }
    }
    for free in names.iter_mut().filter(|free| !free.has_members) {
        free.members.clear();
        free.is_receiver = false;
    }
    names
}
