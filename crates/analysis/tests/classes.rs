//! What is evaluated with a class.

#![allow(clippy::unwrap_used, reason = "tests")]

use mobula_analysis::{ClassFacts, Range, StaticKind, analyze_function};

fn class(text: &str) -> ClassFacts {
    let facts = analyze_function(text).unwrap_or_else(|complaint| panic!("{text}: {complaint}"));
    facts.class.unwrap()
}

fn slice(text: &str, range: Range) -> String {
    let units: Vec<u16> = text.encode_utf16().collect();
    String::from_utf16(&units[range.start as usize..range.end as usize]).unwrap()
}

#[test]
fn heads_and_ends() {
    for (text, name, heritage) in [
        ("class {}", None, None),
        ("class A {}", Some("A"), None),
        ("class Größe extends Basis {}", Some("Größe"), Some("Basis")),
        (
            "class extends f('😀', {}) { m() {} }",
            None,
            Some("f('😀', {})"),
        ),
        (
            "class A extends class { m() {} } { n() { return '}' } /* } */ }",
            Some("A"),
            Some("class { m() {} }"),
        ),
    ] {
        let class = class(text);
        assert_eq!(class.name.as_deref(), name, "{text}");
        assert_eq!(
            class.heritage.map(|it| slice(text, it)).as_deref(),
            heritage,
            "{text}"
        );
        assert_eq!(
            class.body_end as usize,
            text.encode_utf16().count() - 1,
            "{text}"
        );
    }
}

#[test]
fn what_is_evaluated_outside_has_names_of_its_own() {
    let text = "class A extends B(x) { [x + y]() { return y } static [z] = w; [A.k + é] = 1 }";
    let facts = analyze_function(text).unwrap();
    let free: Vec<_> = facts.free.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(free, ["y", "w"]);
    let keys = facts.class.unwrap().computed_keys;
    let keys: Vec<_> = keys
        .into_iter()
        .map(|it| (slice(text, it.range), it.free.join(" ")))
        .collect();
    let wanted = [("x + y", "x y"), ("z", "z"), ("A.k + é", "é")];
    assert_eq!(
        keys,
        wanted.map(|(key, free)| (key.to_owned(), free.to_owned()))
    );
}

#[test]
fn nested_classes_are_no_concern() {
    let class = class("class { m() { return class extends B { static x = 1; #p; [k]; n() {} } } }");
    assert!(class.statics.is_empty() && class.computed_keys.is_empty() && class.heritage.is_none());
    assert!(!class.private_instance);
    assert_eq!(class.member_names, ["m"]);
}

#[test]
fn statics() {
    use StaticKind::{Accessor, Block, Field};
    let text = "class A {
        x = 1; static a = '😀'; static b
        static #c = 2 ;
        static { this.#c; }
        static 'd e' = 1 /* ; */ ; static [f] = 1
        static accessor g = 1; static m() {} static get n() { return 1 } static async = 1
    }";
    let found: Vec<_> = class(text)
        .statics
        .into_iter()
        .map(|it| (slice(text, it.range), it.kind, it.name, it.is_private))
        .collect();
    let wanted = [
        ("static a = '😀';", Field, Some("a"), false),
        ("static b", Field, Some("b"), false),
        ("static #c = 2 ;", Field, Some("#c"), true),
        ("static { this.#c; }", Block, None, false),
        ("static 'd e' = 1 /* ; */ ;", Field, Some("d e"), false),
        ("static [f] = 1", Field, None, false),
        ("static accessor g = 1;", Accessor, Some("g"), false),
        ("static async = 1", Field, Some("async"), false),
    ];
    let wanted = wanted.map(|(text, kind, name, is_private)| {
        (text.to_owned(), kind, name.map(str::to_owned), is_private)
    });
    assert_eq!(found, wanted);
}

#[test]
fn flags_of_private_things() {
    for (text, static_field, in_block, instance) in [
        ("class { #a }", false, false, true),
        ("class { #a() {} }", false, false, true),
        ("class { get #a() { return 1 } }", false, false, true),
        ("class { static #a = 1 }", true, false, false),
        ("class { static #a() {} }", false, false, false),
        (
            "class { static #a() {} static { this.#a() } }",
            false,
            true,
            false,
        ),
        (
            "class { static { () => #a in this } #a }",
            false,
            true,
            true,
        ),
        (
            "class { static { this.a } m() { this.#b } #b }",
            false,
            false,
            true,
        ),
        ("class { a = 1; m() {} }", false, false, false),
    ] {
        let class = class(text);
        assert_eq!(
            (
                class.has_private_static_field,
                class.static_blocks_use_private,
                class.private_instance
            ),
            (static_field, in_block, instance),
            "{text}"
        );
    }
}

#[test]
fn members_of_the_prototype() {
    let text = "class { constructor() {} a() {} get b() {} set b(v) {} 'c d'() {} static e() {} #f() {} [g]() {} h = 1; async *i() {} 12() {} }";
    assert_eq!(class(text).member_names, ["a", "b", "c d", "i", "12"]);
}
