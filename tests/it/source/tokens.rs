//! Splits Rust source into words and signs, without comments.

/// The next token: an identifier, `::`, a string with its opening quotation mark, or any other
/// sign.
pub(super) fn tokens(source: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            comment(rest)
        } else if let Some(length) = raw_string(rest).or_else(|| string(rest)) {
            let text = rest[..length].trim_start_matches(|c| c != '"');
            tokens.push(text.trim_end_matches(['"', '#']).to_owned());
            length
        } else if first == '\'' {
            character(rest)
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else if is_of_a_word(first) {
            let length = rest.find(|c| !is_of_a_word(c)).unwrap_or(rest.len());
            tokens.push(rest[..length].to_owned());
            length
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of a block comment, which may contain others.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        depth += i32::from(rest.starts_with(b"/*")) - i32::from(rest.starts_with(b"*/"));
        at += 1 + usize::from(rest.starts_with(b"/*") || rest.starts_with(b"*/"));
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of `r"…"`, `r#"…"#` and so on, with or without a `b` before it.
fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix('b').unwrap_or(text).strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let begun = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = begun.find(&end).expect("a string ends") + end.len();
    Some(text.len() - begun.len() + length)
}

fn string(text: &str) -> Option<usize> {
    let begun = text.strip_prefix('b').unwrap_or(text).strip_prefix('"')?;
    let mut escaped = false;
    let end = begun.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    Some(text.len() - begun.len() + end.expect("a string ends") + 1)
}

/// The length of a character literal, or of a lifetime's mark alone.
fn character(text: &str) -> usize {
    let inner = &text[1..];
    let Some(first) = inner.chars().next() else {
        return 1;
    };
    if first == '\\' {
        let escaped = 2 + inner.chars().nth(1).map_or(0, char::len_utf8);
        return text[escaped..]
            .find('\'')
            .map_or(1, |end| escaped + end + 1);
    }
    let end = 1 + first.len_utf8();
    if text[end..].starts_with('\'') {
        end + 1
    } else {
        1
    }
}

#[test]
fn strings_comments_and_lifetimes_are_no_words() {
    let source = r##"
        fn f<'a>(x: &'a str) -> char { // crate::a
            /* crate::b /* nested */ */
            let y = ("crate::c \" d", r#"e " f"#, '"', '\'', b"g");
            crate::h::<u8>(x, '\u{e9}')
        }"##;
    let words = tokens(source).join(" ");
    let expected = "fn f < a > ( x : & a str ) - > char { \
        let y = ( \"crate::c \\\" d , \"e \" f , , , \"g ) ; \
        crate :: h :: < u8 > ( x , ) }";
    assert_eq!(words, expected);
}
