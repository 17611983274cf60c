//! Finds which file of a crate imports which, from the crate's source.
//!
//! An import is a `use`, or a path in the code, that leads to an item of another file. Re-exports
//! are followed to the file that defines the item. It is not an import when a file declares its
//! children with `mod` or re-exports their items without using them, or when the code is compiled
//! only for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::tokens::tokens;

/// A module's path from the crate's root.
type Module = Vec<String>;

/// What the lines of one module declare and use.
#[derive(Default)]
struct Lines {
    file: PathBuf,
    children: BTreeSet<String>,
    /// What each name introduced by a `use` stands for.
    names: BTreeMap<String, Vec<String>>,
    /// Paths that are imported or used.
    used: BTreeSet<Vec<String>>,
    /// Names that are only re-exported, unless they are also in `words`.
    exported: BTreeMap<String, Vec<String>>,
    /// The words outside every `use`.
    words: BTreeSet<String>,
}

/// Two files that import each other, with the paths that each imports from the other.
#[derive(Debug)]
pub(super) struct Circle {
    pub(super) files: [PathBuf; 2],
    pub(super) imports: [Vec<String>; 2],
}

/// All circles in the crate with this root file.
pub(super) fn circles(root: &Path) -> Vec<Circle> {
    let mut modules = BTreeMap::new();
    read(root, root.parent().expect("a folder"), vec![], &mut modules);
    let mut imports: BTreeMap<(&Path, &Path), BTreeSet<String>> = BTreeMap::new();
    for ((module, _), lines) in &modules {
        let exported = lines.exported.iter();
        let exported = exported.filter(|(name, _)| lines.words.contains(*name));
        for path in lines.used.iter().chain(exported.map(|(_, path)| path)) {
            for file in files_of(&modules, module, path) {
                if file != lines.file {
                    let pair = (lines.file.as_path(), file);
                    imports.entry(pair).or_default().insert(path.join("::"));
                }
            }
        }
    }
    let both = imports.iter().filter_map(|((from, to), there)| {
        let back = imports.get(&(*to, *from))?;
        let list = |paths: &BTreeSet<String>| paths.iter().cloned().collect();
        (from < to).then(|| Circle {
            files: [from.to_path_buf(), to.to_path_buf()],
            imports: [list(there), list(back)],
        })
    });
    both.collect()
}

/// A module may have several files, one for each operating system.
type Modules = BTreeMap<(Module, PathBuf), Lines>;

/// Parses a file and its children. `folder` contains the children's files.
fn read(file: &Path, folder: &Path, module: Module, modules: &mut Modules) {
    let text = fs::read_to_string(file);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut reader = Reader {
        tokens: tokens(&text),
        at: 0,
        file,
        folder: folder.to_owned(),
        modules,
    };
    reader.module(module);
}

struct Reader<'a> {
    tokens: Vec<String>,
    at: usize,
    file: &'a Path,
    folder: PathBuf,
    modules: &'a mut Modules,
}

impl Reader<'_> {
    fn token(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", String::as_str)
    }

    /// Parses to the end of the file, or to the closing brace of the module.
    fn module(&mut self, module: Module) {
        let mut lines = Lines {
            file: self.file.to_owned(),
            ..Lines::default()
        };
        let (mut depth, mut attributes, mut public) = (0, Vec::new(), false);
        while self.at < self.tokens.len() {
            match (self.token(0), self.token(1)) {
                ("#", "[") => {
                    attributes.push(self.group(1));
                    continue;
                }
                ("pub", "(") => {
                    public = true;
                    self.at += 1;
                    self.group(0);
                    continue;
                }
                ("pub", _) => {
                    public = true;
                    self.at += 1;
                    continue;
                }
                _ if attributes.iter().any(|attribute| is_for_tests(attribute)) => self.skip(),
                ("mod", name) if self.token(2) == ";" => {
                    let name = name.to_owned();
                    self.at += 3;
                    lines.children.insert(name.clone());
                    self.child(&module, &name, &attributes);
                }
                ("mod", name) if self.token(2) == "{" => {
                    let name = name.to_owned();
                    self.at += 3;
                    lines.children.insert(name.clone());
                    let (folder, inner) =
                        (self.folder.join(&name), [&module[..], &[name]].concat());
                    let outer = std::mem::replace(&mut self.folder, folder);
                    self.module(inner);
                    self.folder = outer;
                }
                ("use", _) => {
                    self.at += 1;
                    self.tree(&[], public, &mut lines);
                }
                ("{", _) => {
                    depth += 1;
                    self.at += 1;
                }
                ("}", _) if depth == 0 => {
                    self.at += 1;
                    break;
                }
                ("}", _) => {
                    depth -= 1;
                    self.at += 1;
                }
                _ => self.path(&mut lines),
            }
            (attributes, public) = (Vec::new(), false);
        }
        self.modules.insert((module, self.file.to_owned()), lines);
    }

    /// Returns the bracketed group that begins this many tokens ahead, and moves behind it.
    fn group(&mut self, ahead: usize) -> Vec<String> {
        self.at += ahead;
        let (begin, mut depth) = (self.at, 0);
        while self.at < self.tokens.len() {
            depth += match self.token(0) {
                "(" | "[" | "{" => 1,
                ")" | "]" | "}" => -1,
                _ => 0,
            };
            self.at += 1;
            if depth == 0 {
                break;
            }
        }
        self.tokens[begin..self.at].to_vec()
    }

    /// Skips an item: to its semicolon or the end of its body, or to the comma after a field.
    fn skip(&mut self) {
        let is_use = self.token(0) == "use";
        while self.at < self.tokens.len() {
            match self.token(0) {
                "{" if !is_use => {
                    self.group(0);
                    return;
                }
                "(" | "[" | "{" => _ = self.group(0),
                ";" | "," => {
                    self.at += 1;
                    return;
                }
                "}" => return,
                _ => self.at += 1,
            }
        }
    }

    /// Parses the file of `mod name;`.
    fn child(&mut self, module: &[String], name: &str, attributes: &[Vec<String>]) {
        let path = attributes.iter().find(|attribute| attribute[1] == "path");
        let (file, folder) = if let Some(attribute) = path {
            let file = self.folder.join(&attribute[3][1..]);
            let folder = file.parent().expect("a folder").to_owned();
            (file, folder)
        } else {
            let folder = self.folder.join(name);
            let file = self.folder.join(format!("{name}.rs"));
            let file = Some(file).filter(|file| file.is_file());
            (file.unwrap_or_else(|| folder.join("mod.rs")), folder)
        };
        let child = [module, &[name.to_owned()]].concat();
        read(&file, &folder, child, self.modules);
    }

    /// Parses what follows `use`, up to and including the comma, brace or semicolon after it.
    fn tree(&mut self, before: &[String], public: bool, lines: &mut Lines) {
        let mut path = before.to_vec();
        let mut name = None;
        loop {
            match self.token(0) {
                "::" => {}
                "{" => {
                    self.at += 1;
                    while !matches!(self.token(0), "}" | "") {
                        self.tree(&path, public, lines);
                    }
                    path.clear();
                }
                "as" => {
                    self.at += 1;
                    name = Some(self.token(0).to_owned());
                }
                "," | ";" => {
                    self.at += 1;
                    break;
                }
                "}" | "" => break,
                // The group's own module (`self`).
                "self" if !path.is_empty() => {}
                word => path.push(word.to_owned()),
            }
            self.at += 1;
        }
        let Some(last) = path.last() else { return };
        let name = name.unwrap_or_else(|| last.clone());
        if name != "*" {
            lines.names.insert(name.clone(), path.clone());
        }
        if public {
            lines.exported.insert(name, path);
        } else {
            lines.used.insert(path);
        }
    }

    /// Parses a path in the code, or any other token.
    fn path(&mut self, lines: &mut Lines) {
        let begins = self.at == 0 || !matches!(self.tokens[self.at - 1].as_str(), "::" | ".");
        let mut path = vec![self.token(0).to_owned()];
        lines.words.insert(path[0].clone());
        self.at += 1;
        while self.token(0) == "::"
            && self
                .token(1)
                .starts_with(|c: char| c.is_alphabetic() || c == '_')
        {
            path.push(self.token(1).to_owned());
            lines.words.insert(path[path.len() - 1].clone());
            self.at += 2;
        }
        if begins && path.len() > 1 {
            lines.used.insert(path);
        }
    }
}

fn is_for_tests(attribute: &[String]) -> bool {
    let has = |word: &str| attribute.iter().any(|token| token == word);
    has("cfg") && has("test") && !has("not") || attribute == ["[", "test", "]"]
}

/// The files of the module that defines the item to which a path in a module leads.
fn files_of<'a>(modules: &'a Modules, from: &[String], path: &[String]) -> Vec<&'a Path> {
    let Some(module) = leads_to(modules, from, path, 0) else {
        return Vec::new();
    };
    lines_of(modules, &module)
        .map(|lines| lines.file.as_path())
        .collect()
}

fn lines_of<'a>(modules: &'a Modules, module: &[String]) -> impl Iterator<Item = &'a Lines> {
    let from = (module.to_vec(), PathBuf::new());
    let same = modules.range(from..);
    let module = module.to_vec();
    same.take_while(move |((of, _), _)| *of == module)
        .map(|(_, lines)| lines)
}

/// The module of the item to which a path leads, if it is in this crate.
fn leads_to(modules: &Modules, from: &[String], path: &[String], depth: usize) -> Option<Module> {
    let mut module = from.to_vec();
    let mut own = false;
    for (index, segment) in path.iter().enumerate() {
        match segment.as_str() {
            "crate" => module.clear(),
            "self" => {}
            "super" => _ = module.pop()?,
            "*" => break,
            name => {
                if lines_of(modules, &module).any(|lines| lines.children.contains(name)) {
                    module.push(name.to_owned());
                    own = true;
                    continue;
                }
                let stands_for = lines_of(modules, &module).find_map(|lines| lines.names.get(name));
                // A name may be imported under its own name, as in `use metrics` in `metrics`.
                let stands_for = stands_for.filter(|_| depth < 16);
                let Some(target) = stands_for else { break };
                let there = leads_to(modules, &module, target, depth + 1)?;
                let mut rest = vec!["crate".to_owned()];
                rest.extend(there);
                rest.extend_from_slice(&path[index + 1..]);
                // The name may stand for an item; the rest of the path then belongs to the item.
                return leads_to(modules, from, &rest, depth + 1);
            }
        }
        own = true;
    }
    own.then_some(module)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The circles of a crate with these files.
    fn circles_of(name: &str, files: &[(&str, &str)]) -> Vec<String> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("source-{name}"));
        fs::remove_dir_all(&folder).ok();
        for (file, text) in files {
            let file = folder.join(file);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(file, text).expect("written");
        }
        let circles = circles(&folder.join("lib.rs"));
        let shown = circles.iter().map(|circle| {
            let [one, other] = &circle.files;
            let [there, back] = &circle.imports;
            let name = |file: &Path| file.file_name().map(|name| name.display().to_string());
            format!("{:?} {there:?} <-> {:?} {back:?}", name(one), name(other))
        });
        let shown = shown.collect();
        fs::remove_dir_all(&folder).expect("our own");
        shown
    }

    #[test]
    fn two_files_that_use_each_other_are_a_circle() {
        let circles = circles_of(
            "siblings",
            &[
                ("lib.rs", "mod a; mod b; mod c;"),
                ("a.rs", "use crate::{b::{B, self}, c}; pub struct A;"),
                ("b.rs", "pub struct B; fn f() { super::a::A::new(); }"),
                ("c.rs", "// use crate::a;\nfn c() { \"crate::a::A\"; }"),
            ],
        );
        let expected =
            r#"Some("a.rs") ["crate::b", "crate::b::B"] <-> Some("b.rs") ["super::a::A::new"]"#;
        assert_eq!(circles, [expected]);
    }

    #[test]
    fn a_re_export_leads_to_where_the_item_is() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use a::{A, Other as Another};"),
            ("a.rs", "use crate::b; pub struct A;"),
            ("b.rs", "use crate::Another;"),
        ];
        let circles = circles_of("exports", &files);
        let expected = r#"Some("a.rs") ["crate::b"] <-> Some("b.rs") ["crate::Another"]"#;
        assert_eq!(circles, [expected]);
    }

    #[test]
    fn a_parent_may_export_its_child_and_not_use_it() {
        let child = ("a/child.rs", "use super::Parent; pub struct Child;");
        let exports = "pub use child::Child; pub struct Parent;";
        let lib = ("lib.rs", "mod a;");
        let module = |rest: &str| format!("mod child; {rest}");
        let circles =
            |name, rest: &str| circles_of(name, &[lib, ("a.rs", &module(rest)), child]).len();
        assert_eq!(circles("exported", exports), 0);
        let used = format!("{exports} fn f() -> Child {{}}");
        assert_eq!(circles("used", &used), 1);
        let called = "pub struct Parent; fn f() { child::f() }";
        assert_eq!(circles("called", called), 1);
        let imported = "use child::Child; pub struct Parent;";
        assert_eq!(circles("imported", imported), 1);
    }

    #[test]
    fn tests_may_use_their_parents() {
        let files = [
            ("lib.rs", "mod a; mod b; #[cfg(test)] mod tests;"),
            (
                "a.rs",
                "pub struct A; #[cfg(test)] mod tests { use crate::b::B; }",
            ),
            (
                "b.rs",
                "use crate::a::A; mod inner { use super::super::a::A; }",
            ),
        ];
        assert_eq!(circles_of("tests", &files), Vec::<String>::new());
    }
}
