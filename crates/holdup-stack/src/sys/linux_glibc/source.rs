//! Which function a line of a source file is in. Where a function was inlined, line tables alone have its name
//! without its path, and nothing at all for an `async fn`; the library's source has it. This module handles text
//! only, and does not parse Rust: it follows the braces, and reads what stands before each.

/// A function in a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Function {
    /// The modules within the file and the type or trait that it is a method of, if any: `Mutex`.
    pub(super) owners: Vec<String>,
    /// Its name: `lock`.
    pub(super) name: String,
}

/// The innermost function that includes this line, counted from 1; `None` if there is none, as in a macro.
pub(super) fn function_at(source: &str, line: u32) -> Option<Function> {
    let mut scan = Scan {
        rest: source,
        line: 1,
        header: String::new(),
        begins: 1,
        brackets: 0,
        open: Vec::new(),
        found: None,
    };
    scan.run(line);
    scan.found.map(|(_, function)| function)
}

/// What a pair of braces is the body of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Body {
    Module(String),
    /// A type with methods, or a trait.
    Type(String),
    Function(String),
    Macro,
    Other,
}

struct Scan<'a> {
    rest: &'a str,
    line: u32,
    /// The code since the last brace or semicolon.
    header: String,
    /// The line at which the header begins.
    begins: u32,
    /// How many parentheses and brackets are open in the header.
    brackets: u32,
    /// The braces that are open, each with the line at which what it belongs to begins, and with the brackets
    /// around it.
    open: Vec<(Body, u32, u32)>,
    /// The function that includes the line, and at which line it begins.
    found: Option<(u32, Function)>,
}

impl Scan<'_> {
    /// Reads on until what includes `line` is known.
    fn run(&mut self, line: u32) {
        while let Some(letter) = self.rest.chars().next() {
            if self.skip_comment() || self.skip_literal(letter) {
                continue;
            }
            self.take(letter.len_utf8());
            match letter {
                '{' => self.opens(),
                '}' => self.closes(line),
                ';' if self.brackets == 0 => self.header.clear(),
                _ => {
                    match letter {
                        '(' | '[' => self.brackets += 1,
                        ')' | ']' => self.brackets = self.brackets.saturating_sub(1),
                        _ => {}
                    }
                    if self.header.is_empty() {
                        if letter.is_whitespace() {
                            continue;
                        }
                        self.begins = self.line;
                    }
                    self.header.push(letter);
                }
            }
            // Nothing that begins later includes the line. What has begun may be a signature of several lines.
            let is_past = (self.header.is_empty() || self.begins > line)
                && self.open.iter().all(|(_, begins, _)| *begins > line);
            if is_past && self.line > line {
                return;
            }
        }
    }

    /// Moves on by this many bytes.
    fn take(&mut self, bytes: usize) {
        let (taken, rest) = self.rest.split_at(bytes);
        let lines = taken.bytes().filter(|&byte| byte == b'\n').count();
        self.line = self
            .line
            .saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.rest = rest;
    }

    fn skip_comment(&mut self) -> bool {
        if self.rest.starts_with("//") {
            self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
            return true;
        }
        if !self.rest.starts_with("/*") {
            return false;
        }
        let (mut depth, mut at) = (0, 0);
        while at < self.rest.len() {
            let rest = &self.rest.as_bytes()[at..];
            if rest.starts_with(b"/*") {
                (depth, at) = (depth + 1, at + 2);
            } else if rest.starts_with(b"*/") {
                (depth, at) = (depth - 1, at + 2);
                if depth == 0 {
                    break;
                }
            } else {
                at += 1;
            }
        }
        self.take(at);
        true
    }

    /// Skips a string or a character. A lifetime is none.
    fn skip_literal(&mut self, letter: char) -> bool {
        let length = match letter {
            '"' => Some(quoted(self.rest, 0)),
            '\'' => character(self.rest),
            'r' if self.begins_a_word() => {
                let hashes = self.rest[1..]
                    .bytes()
                    .take_while(|&byte| byte == b'#')
                    .count();
                let is_raw = self.rest[1 + hashes..].starts_with('"');
                is_raw.then(|| {
                    let end = format!("\"{}", "#".repeat(hashes));
                    let begin = 2 + hashes;
                    let text = self.rest[begin..].find(&end);
                    text.map_or(self.rest.len(), |at| begin + at + end.len())
                })
            }
            _ => None,
        };
        let Some(length) = length else { return false };
        self.take(length);
        // It stands for something, such as the path in an attribute.
        self.header.push('_');
        true
    }

    /// Whether the next letter does not continue a word. `br` and `cr` are the beginnings of literals, too.
    fn begins_a_word(&self) -> bool {
        let before = self.header.strip_suffix(['b', 'c']).unwrap_or(&self.header);
        let is_part = |last: char| last.is_alphanumeric() || last == '_';
        !before.ends_with(is_part)
    }

    fn opens(&mut self) {
        let body = body(&self.header);
        self.open.push((body, self.begins, self.brackets));
        self.header.clear();
        self.brackets = 0;
        self.begins = self.line;
    }

    fn closes(&mut self, line: u32) {
        self.header.clear();
        let Some((body, begins, brackets)) = self.open.pop() else {
            return;
        };
        self.brackets = brackets;
        let is_in_a_macro = self.open.iter().any(|(body, ..)| *body == Body::Macro);
        let Body::Function(name) = body else { return };
        let includes = (begins..=self.line).contains(&line) && !is_in_a_macro;
        // The innermost is closed first, unless two are on the same line.
        if !includes
            || self
                .found
                .as_ref()
                .is_some_and(|(found, _)| *found >= begins)
        {
            return;
        }
        let owners = self.open.iter().rev();
        let owners = owners.map_while(|(body, ..)| match body {
            Body::Module(name) | Body::Type(name) => Some(Some(name.clone())),
            Body::Other => Some(None),
            Body::Function(_) | Body::Macro => None,
        });
        let mut owners: Vec<_> = owners.flatten().collect();
        owners.reverse();
        self.found = Some((begins, Function { owners, name }));
    }
}

/// The length of a string that begins here.
fn quoted(text: &str, begin: usize) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(begin + 1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character that begins here; `None` for a lifetime.
fn character(text: &str) -> Option<usize> {
    let inner = &text[1..];
    if let Some(escaped) = inner.strip_prefix('\\') {
        let first = escaped.chars().next()?.len_utf8();
        return Some(2 + first + escaped[first..].find('\'')? + 1);
    }
    let letter = inner.chars().next()?.len_utf8();
    inner[letter..].starts_with('\'').then_some(1 + letter + 1)
}

/// What the braces after this code are the body of.
fn body(header: &str) -> Body {
    let words = words(header);
    // A header may begin with what precedes the item within a macro's braces.
    for (at, word) in words.iter().enumerate() {
        let name = words.get(at + 1).copied().unwrap_or_default();
        let is_name = name.starts_with(|letter: char| letter.is_alphabetic() || letter == '_');
        match *word {
            "fn" if is_name => return Body::Function(name.to_owned()),
            "mod" if is_name => return Body::Module(name.to_owned()),
            "trait" if is_name => return Body::Type(name.to_owned()),
            "macro_rules" => return Body::Macro,
            "impl" => {
                return implementing(&words[at + 1..]).map_or(Body::Other, Body::Type);
            }
            // An item that cannot be around a function, or an expression.
            "struct" | "enum" | "union" | "match" | "if" | "let" => return Body::Other,
            _ => {}
        }
    }
    Body::Other
}

/// The last part of the name of the type that an `impl` is for, from the words after it.
fn implementing(words: &[&str]) -> Option<String> {
    let mut depth = 0_i32;
    let mut name = None;
    for (at, word) in words.iter().enumerate() {
        match *word {
            "<" | "(" | "[" => depth += 1,
            ">" if at > 0 && words[at - 1] == "-" => {}
            ">" | ")" | "]" => depth -= 1,
            "where" if depth == 0 => break,
            "for" if depth == 0 => name = None,
            "dyn" | "mut" | "const" | "unsafe" | "impl" => {}
            word if depth == 0 && word.starts_with(|letter: char| letter.is_alphabetic()) => {
                name = Some(word.to_owned());
            }
            _ => {}
        }
    }
    name
}

/// Words, and every other sign by itself.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let length = match letter {
            letter if is_part(letter) => rest.find(|letter| !is_part(letter)),
            letter => Some(letter.len_utf8()),
        };
        let (word, after) = rest.split_at(length.unwrap_or(rest.len()));
        if !letter.is_whitespace() {
            words.push(word);
        }
        rest = after;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r###"//! A library. fn nothing() { //= nothing
use std::fmt::{self, Debug};

/// It's a lock {
pub struct Mutex<T: ?Sized> { //= nothing
    s: Semaphore,
}

impl<T: ?Sized> Mutex<T> where T: Debug {
    #[doc = "locks"] pub async fn lock(&self, _: [u8; 3]) -> MutexGuard<'_, T> { //= Mutex::lock
        let acquire = async { //= Mutex::lock
            self.s.acquire("}", '{', '\'', r#"" } "#, br##""# } "##, for_r).await /* } /* } */ */
        };
        let named = |x: u8| { x };
        acquire.await //= Mutex::lock
    }
    const fn free(&self) -> bool { true } //= Mutex::free
    fn outer(&self) { //= Mutex::outer
        fn inner() {
            wait(); //= inner
        }
        inner(); //= Mutex::outer
    }
}

impl<'a, F: Fn(u8) -> u8> Future for &'a mut maybe::Done<F> { //= nothing
    fn poll(self: Pin<&mut Self>) -> Poll<impl Debug> { //= Done::poll
        match self { _ => Poll::Pending } //= Done::poll
    }
} //= nothing

#[cfg(feature = "x")]
cfg_rt! { //= nothing
    mod blocking {
        #[track_caller] //= blocking::spawn
        pub fn spawn<F>(f: F) -> JoinHandle where F: FnOnce() {
            f() //= blocking::spawn
        }
    }
}

pub trait Stream {
    fn next(&mut self) -> Next<'_> { Next { stream: self } } //= Stream::next
    fn required(&self); //= nothing
}

macro_rules! join {
    ($x:expr) => { fn f() {
        $x //= nothing
    } };
}

use std::{ //= nothing
    mem,
};

pub async fn wide( //= wide
    first: [u8; 3],
) -> u8 //= wide
{
    first[0] //= wide
}

pub async fn last() { x().await } //= last
"###;

    #[test]
    fn the_function_of_a_line_is_found_with_its_type() {
        let mut marked = 0;
        for (line, text) in (1..).zip(SOURCE.lines()) {
            let Some((_, expected)) = text.split_once(" //= ") else {
                continue;
            };
            let found = function_at(SOURCE, line);
            let found = found.map(|found| [found.owners, vec![found.name]].concat().join("::"));
            let found = found.as_deref().unwrap_or("nothing");
            assert_eq!(found, expected, "line {line}");
            marked += 1;
        }
        assert_eq!(marked, 24);
        assert_eq!([0, 99].map(|line| function_at(SOURCE, line)), [None, None]);
    }

    #[test]
    fn no_text_makes_it_panic() {
        for text in [
            "", "}", "}}{", "\"", "'", "'\\", "r#\"", "/*", "fn {", "impl {", "é'é", "r", "{{{",
        ] {
            for line in [0, 1, 2, u32::MAX] {
                assert_eq!(function_at(text, line), None, "{text}");
            }
        }
        // Cut off at every byte, as a file may be.
        for (end, _) in SOURCE.char_indices() {
            function_at(&SOURCE[..end], 15);
        }
    }
}
