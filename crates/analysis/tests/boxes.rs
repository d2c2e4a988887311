//! Free names become properties of boxes.

use mobula_analysis::{analyze_function, box_names};

/// Boxes `count` and `n`.
#[track_caller]
fn check(cases: &[(&str, &str)]) {
    let names = ["count".to_owned(), "n".to_owned()];
    for (text, wanted) in cases {
        let boxed =
            box_names(text, &names).unwrap_or_else(|complaint| panic!("{text}: {complaint}"));
        assert_eq!(boxed, *wanted, "{text}");
        analyze_function(&boxed).unwrap_or_else(|complaint| panic!("{boxed}: {complaint}"));
    }
}

#[test]
fn each_use_becomes_a_property() {
    check(&[
        ("() => count + n * k", "() => count.v + n.v * k"),
        ("() => typeof count", "() => typeof count.v"),
        ("() => typeof (count)", "() => typeof (count.v)"),
        ("() => count++ + --n", "() => count.v++ + --n.v"),
        ("() => count ??= n", "() => count.v ??= n.v"),
        ("() => count.a[n].b", "() => count.v.a[n.v].b"),
        ("() => count.a()", "() => count.v.a()"),
        ("() => count?.a?.[n]", "() => count.v?.a?.[n.v]"),
        ("() => `${count}`", "() => `${count.v}`"),
        ("() => new count(n)", "() => new count.v(n.v)"),
        ("() => ({ count })", "() => ({ count: count.v })"),
        (
            "() => ({ count: count, [count]: 1, count() { return n } })",
            "() => ({ count: count.v, [count.v]: 1, count() { return n.v } })",
        ),
        ("(a = count) => a", "(a = count.v) => a"),
        ("() => 'é😀' + count", "() => 'é😀' + count.v"),
        ("() => co\\u0075nt", "() => co\\u0075nt.v"),
    ]);
}

#[test]
fn targets_stay_targets() {
    check(&[
        ("() => [count] = x", "() => [count.v] = x"),
        (
            "() => [count = n, ...n] = x",
            "() => [count.v = n.v, ...n.v] = x",
        ),
        ("() => ({ count } = x)", "() => ({ count: count.v } = x)"),
        (
            "() => ({ count = 1 } = x)",
            "() => ({ count: count.v = 1 } = x)",
        ),
        (
            "() => ({ a: count = n } = x)",
            "() => ({ a: count.v = n.v } = x)",
        ),
        (
            "() => { for (count of xs); for (n in xs); }",
            "() => { for (count.v of xs); for (n.v in xs); }",
        ),
        (
            "async () => { for await ({ count } of xs); }",
            "async () => { for await ({ count: count.v } of xs); }",
        ),
    ]);
}

#[test]
fn calls_stay_calls_without_this() {
    check(&[
        ("() => count(n)", "() => (0, count.v)(n.v)"),
        ("() => count?.(1)", "() => (0, count.v)?.(1)"),
        ("() => (count)(1)", "() => ((0, count.v))(1)"),
        ("() => count`a${n}`", "() => (0, count.v)`a${n.v}`"),
        ("() => count()()", "() => (0, count.v)()()"),
        (
            "async () => await count()",
            "async () => await (0, count.v)()",
        ),
    ]);
}

#[test]
fn a_call_does_not_run_into_the_line_before() {
    check(&[
        ("() => { a\ncount()\n}", "() => { a;\n(0, count.v)()\n}"),
        (
            "() => { let f = function () {}\ncount()\n}",
            "() => { let f = function () {};\n(0, count.v)()\n}",
        ),
        (
            "() => { 'use strict'\ncount() }",
            "() => { 'use strict';\n(0, count.v)() }",
        ),
        (
            "() => { count\ncount() }",
            "() => { count.v;\n(0, count.v)() }",
        ),
        (
            "() => { count()\ncount() }",
            "() => { (0, count.v)();\n(0, count.v)() }",
        ),
        ("() => { a; count() }", "() => { a; (0, count.v)() }"),
        (
            "() => { if (a) count()\nelse count() }",
            "() => { if (a) (0, count.v)()\nelse (0, count.v)() }",
        ),
        (
            "() => { switch (a) { case 1: a\ncount() } }",
            "() => { switch (a) { case 1: a;\n(0, count.v)() } }",
        ),
        (
            "class { static { a\ncount() } }",
            "class { static { a;\n(0, count.v)() } }",
        ),
        (
            "() => { a\ncount().b = 1 }",
            "() => { a;\n(0, count.v)().b = 1 }",
        ),
        (
            "() => { do a; while (b) count() }",
            "() => { do a; while (b); (0, count.v)() }",
        ),
    ]);
}

#[test]
fn what_is_not_free_stays() {
    check(&[
        ("(count) => count", "(count) => count"),
        (
            "() => { let count; { count } } ",
            "() => { let count; { count } } ",
        ),
        (
            "() => { { let count; count } count }",
            "() => { { let count; count } count.v }",
        ),
        (
            "(a = count) => { let count; return count }",
            "(a = count.v) => { let count; return count }",
        ),
        (
            "() => a.count + { count: 1 }.count",
            "() => a.count + { count: 1 }.count",
        ),
        (
            "() => { count: for (;;) break count }",
            "() => { count: for (;;) break count }",
        ),
        (
            "function count() { return count }",
            "function count() { return count }",
        ),
        ("() => /count/.test('count')", "() => /count/.test('count')"),
        ("() => k", "() => k"),
    ]);
}

#[test]
fn members_and_classes() {
    check(&[
        ("m() { return count }", "m() { return count.v }"),
        (
            "[count]() { return n() }",
            "[count.v]() { return (0, n.v)() }",
        ),
        (
            "#m() { return this.#m(count) }",
            "#m() { return this.#m(count.v) }",
        ),
        (
            "class A extends count { [n] = count; static { count++ } }",
            "class A extends count.v { [n.v] = count.v; static { count.v++ } }",
        ),
        (
            "class A extends count(n) {}",
            "class A extends (0, count.v)(n.v) {}",
        ),
        (
            "function () { with (a) { count } }",
            "function () { with (a) { count.v } }",
        ),
    ]);
}

#[test]
fn what_is_no_function_is_refused() {
    assert!(box_names("count", &["count".to_owned()]).is_err());
}
