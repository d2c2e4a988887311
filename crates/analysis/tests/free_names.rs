//! Which names a function's text leaves open.

#![allow(clippy::unwrap_used, reason = "tests")]

use mobula_analysis::{FreeName, analyze_function};

fn free(text: &str) -> Vec<FreeName> {
    analyze_function(text)
        .unwrap_or_else(|complaint| panic!("{text}: {complaint}"))
        .free
}

fn names(text: &str) -> String {
    let names: Vec<_> = free(text).into_iter().map(|it| it.name).collect();
    names.join(" ")
}

/// Text → its free names, in order of appearance.
#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (text, wanted) in cases {
        assert_eq!(names(text), *wanted, "{text}");
    }
}

#[test]
fn names_come_in_order_and_once() {
    check(&[
        ("(x) => x * k", "k"),
        (
            "() => b + a + b + c.a + undefined + NaN",
            "b a c undefined NaN",
        ),
        ("() => 1", ""),
        ("function () { do { b } while (a) }", "b a"),
        ("() => `${a} ${`${b}`}` + c`x${d}`", "a b c d"),
        (
            "() => ({ a, b: c, [d]: 1, ...e, f() { return g }, get h() { return i } })",
            "a c d e g i",
        ),
        ("() => a?.b?.[c]?.(d) ?? e", "a c d e"),
        ("() => new A(b, ...c)", "A b c"),
        ("() => /a[b]/u.test(c) || 1_000 ** d", "c d"),
        ("() => { import(a); a.import; }", "a"),
        ("() => co\\u0075nt", "count"),
        ("() => größe + 𝒳", "größe 𝒳"),
    ]);
}

#[test]
fn what_the_text_declares_is_not_free() {
    check(&[
        (
            "(a, { b, c: [d = e], ...f }, ...g) => a + b + c + d + f + g",
            "e c",
        ),
        (
            "() => { x; var x; y; let y; h(); function h() {} const { z: [w] } = x; w; z }",
            "z",
        ),
        ("() => { { let a; var b } a; b }", "a"),
        (
            "() => { for (const x of xs) x; for (let i = j; i < n; i++) i; x; i }",
            "xs j n x i",
        ),
        ("async () => { for await (const x of xs) x }", "xs"),
        ("() => { try { a } catch { b } finally { c } }", "a b c"),
        ("() => { try {} catch (e) { var e = 1; e } e }", ""),
        ("() => { try {} catch ({ a = b }) { let b; a } a }", "b a"),
        (
            "() => { switch (s) { case c: let t; default: t } t }",
            "s c t",
        ),
        ("() => { L: for (;;) { M: { break M } continue L } }", ""),
        ("() => { L: for (;;) break L; L }", "L"),
        ("function f() { return f }", ""),
        ("() => { (function g() { g })(); g }", "g"),
        (
            "() => { class A extends B { static x = A; [A.k] = C; #p; m() { return this.#p in A } } new A }",
            "B C",
        ),
        ("() => { (class A { m() { A } }); A }", "A"),
        ("(a) => (b) => (c) => a + b + c + d", "d"),
        (
            "a => { { let a = b; a } return () => { var a = c; return a } }",
            "b c",
        ),
        ("() => { using r = open(); r }", "open"),
        ("function* () { const x = yield a; yield* x }", "a"),
        (
            "async function* () { await a; yield b; for await (c of d); }",
            "a b c d",
        ),
    ]);
}

#[test]
fn parameters_do_not_see_into_the_body() {
    check(&[
        ("(a = k) => { let k; k }", "k"),
        (
            "function f(a = () => k + g) { var k; function g() {} }",
            "k g",
        ),
        ("(a, b = a) => { var a; b }", ""),
        ("() => { let k; return (a = k) => { let k; k } }", ""),
        ("(a = (b = k) => { let k }) => { let k }", "k"),
        ("(a, { [a]: b = c }) => b", "c"),
    ]);
}

#[test]
fn sloppy_text_is_understood() {
    check(&[
        ("function () { with (a) { b } }", "a b"),
        ("function () { return 010 + '\\08' + arguments.callee }", ""),
        (
            "function () { let = a; var yield = b; return let + yield }",
            "let a b",
        ),
        ("function (await) { return await(a) }", "a"),
        ("function (a, a) { delete a; return static }", "static"),
        (
            "function () { <!-- a comment in sloppy code alone\n { function g() {} } g(); a }",
            "a",
        ),
        ("function () { if (a) function g() {} }", "a"),
    ]);
}

#[test]
fn a_function_in_a_block_may_be_seen_outside_of_it() {
    let [g] = <[FreeName; 1]>::try_from(free("() => { { function g() {} } g() }")).unwrap();
    assert!(g.name == "g" && g.is_optional);
    assert_eq!(names("() => { function g() {} { g() } }"), "");
    let [_, g] =
        <[FreeName; 2]>::try_from(free("() => { { a; async function g() {} } g }")).unwrap();
    assert!(!g.is_optional);
}

#[test]
fn a_name_under_typeof_is_optional() {
    for (text, wanted) in [
        ("() => typeof a", true),
        ("() => typeof (a)", true),
        ("() => typeof a === 'function' ? a : 1", true),
        ("() => a() || typeof a", true),
        ("() => typeof a.b", false),
        ("() => typeof a()", false),
        ("() => a", false),
        ("(b) => typeof b + a", false),
    ] {
        let [a] = <[FreeName; 1]>::try_from(free(text)).unwrap();
        assert_eq!(a.is_optional, wanted, "{text}");
    }
}

#[test]
fn assignments_are_seen_wherever_they_stand() {
    for text in [
        "() => a = 1",
        "() => a += 1",
        "() => a ??= 1",
        "() => a++",
        "() => --a",
        "() => [a] = [1]",
        "() => [, ...a] = [1]",
        "() => ({ a } = {})",
        "() => ({ a = 1 } = {})",
        "() => ({ b: a } = {})",
        "() => ({ b: [a = 1] } = {})",
        "() => ({ ...a } = {})",
        "() => { for (a of []); }",
        "() => { for (a in {}); }",
        "() => { for ([a] of []); }",
        "async () => { for await (a of []); }",
        "() => () => { (a) = 1 }",
        "(b = a = 1) => b",
        "() => { class B { static { a = 1 } } }",
    ] {
        let [a] = <[FreeName; 1]>::try_from(free(text)).unwrap();
        assert!(a.name == "a" && a.is_assigned && !a.has_members, "{text}");
    }
    for text in [
        "() => a",
        "() => a.b = 1",
        "() => a.b++",
        "() => [a.b] = []",
        "() => { let b = a }",
    ] {
        assert!(!free(text)[0].is_assigned, "{text}");
    }
}

#[test]
fn members_are_listed_if_nothing_else_is_used() {
    for (text, wanted) in [
        ("() => a.x", Some("x")),
        ("() => a.x + a['y'] + a.x.z + a[`w`]", Some("x y w")),
        ("() => (0, a.x)()", Some("x")),
        ("() => a.x()", Some("x")),
        ("() => a?.x?.y", Some("x")),
        ("() => new a.x()", Some("x")),
        ("() => a.x`t` + typeof a.y", Some("x y")),
        ("() => { a.x.y = 1 }", Some("x")),
        ("() => { class B extends a.x {} }", Some("x")),
        ("() => a", None),
        ("() => a.x + a", None),
        ("(i) => a[i]", None),
        ("() => a()", None),
        ("() => { a.x = 1 }", None),
        ("() => { a.x++ }", None),
        ("() => { delete a.x }", None),
        ("() => { delete a?.x }", None),
        ("() => { [a.x] = [] }", None),
        ("() => { ({ y: a.x } = {}) }", None),
        ("() => { for (a.x of []); }", None),
        ("() => ({ a })", None),
        ("() => typeof a !== 'undefined' && a.x", None),
    ] {
        let free = free(text);
        let members = free[0].has_members.then(|| free[0].members.join(" "));
        assert_eq!(members.as_deref(), wanted, "{text}");
        assert!(free[0].has_members || free[0].members.is_empty(), "{text}");
    }
}

#[test]
fn who_is_this_for_a_member_is_noted() {
    for (text, wanted) in [
        ("() => a.x()", true),
        ("() => (a.x)()", true),
        ("() => a?.x()", true),
        ("() => a.x?.()", true),
        ("() => (a?.x)()", true),
        ("() => a['x']()", true),
        ("() => a.x`t`", true),
        ("() => (0, a.x)()", false),
        ("() => a.x.y()", false),
        ("() => new a.x()", false),
        ("() => f(a.x)", false),
    ] {
        let free = free(text);
        let a = free.iter().find(|it| it.name == "a").unwrap();
        assert_eq!(a.is_receiver, wanted, "{text}");
        assert!(a.has_members, "{text}");
    }
}

#[test]
fn positions_are_those_of_javascript_strings() {
    for text in [
        "() => 'é' + k",
        "() => '😀' + k",
        "/* ⛵ */ () => { '𝒳é'; return k }",
        "(größe) => größe * k",
    ] {
        let unit = |name: &str| {
            let byte = text.rfind(name).unwrap();
            text[..byte].encode_utf16().count() as u32
        };
        assert_eq!(free(text)[0].at, unit("k"), "{text}");
    }
}
