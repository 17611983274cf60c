//! The page's files, which are compiled into the program.

use actix_web::web::Bytes;

use super::section::Section;

/// The mark that is replaced by the sections of the app.
const SECTIONS: &str = "<!-- sections -->";

const HTML: &str = include_str!("../ui/page.html");
const CSS: &str = include_str!("../ui/page.css");

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Each file's name and content.
macro_rules! modules {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../ui/", $name)))),*]
    };
}

/// The modules of the page, served from `/ui/`.
const MODULES: &[(&str, &str)] = modules![
    "bar.js",
    "board.js",
    "canvas.js",
    "cards.js",
    "charts.js",
    "clock.js",
    "dom.js",
    "duration.js",
    "geometry.js",
    "hold.js",
    "live.js",
    "main.js",
    "model.js",
    "places.js",
    "probe.js",
    "rows.js",
    "section.js",
    "trial.js",
    "waits.js",
    "workers.js",
];

/// A file that the console serves.
#[derive(Debug, Clone)]
pub(crate) struct Asset {
    pub(crate) path: String,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
}

/// All files of a page with these sections.
pub(crate) fn assets(sections: &[Section]) -> Vec<Asset> {
    let asset = |path: String, content_type, body| Asset {
        path,
        content_type,
        body,
    };
    let html = asset("/".to_owned(), "text/html; charset=utf-8", html(sections));
    let css = Bytes::from_static(CSS.as_bytes());
    let css = asset("/page.css".to_owned(), "text/css; charset=utf-8", css);
    let modules = MODULES.iter().map(|(name, text)| {
        let body = without_comments(text).into();
        asset(format!("/ui/{name}"), JAVASCRIPT, body)
    });
    let scripts = sections.iter().map(|section| {
        let body = Bytes::from(section.script.clone().into_owned());
        asset(script(section), JAVASCRIPT, body)
    });
    [html, css]
        .into_iter()
        .chain(modules)
        .chain(scripts)
        .collect()
}

/// A module without the comments that take whole lines. Empty lines stay in their place, so that the browser tells of
/// an error with the line in the source.
fn without_comments(text: &str) -> String {
    let is_comment = |line: &&str| line.trim_start().starts_with("//");
    let lines = text.lines();
    let lines = lines.map(|line| Some(line).filter(|line| !is_comment(line)));
    lines
        .flat_map(|line| [line.unwrap_or_default(), "\n"])
        .collect()
}

/// The path of a section's script.
fn script(section: &Section) -> String {
    format!("/section/{}.js", section.name)
}

fn html(sections: &[Section]) -> Bytes {
    let mut added = String::new();
    for section in sections {
        added.push_str(&section.html);
        added.push_str("\n<script type=\"module\" src=\"");
        added.push_str(&script(section));
        added.push_str("\"></script>\n");
    }
    HTML.replacen(SECTIONS, &added, 1).into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn sections_come_after_the_pages_own_with_their_scripts_in_order() {
        let sections = ["one", "two"]
            .map(|name| Section::new(name, format!("<section id=\"{name}\"></section>"), "// it"));
        let all = assets(&sections);
        let page = String::from_utf8(all[0].body.to_vec()).expect("text");
        let places = [
            "<section",
            "<section id=\"one\"></section>",
            "<script type=\"module\" src=\"/section/one.js\"></script>",
            "<section id=\"two\"></section>",
            "<script type=\"module\" src=\"/section/two.js\"></script>",
            "</main>",
        ]
        .map(|text| page.find(text).unwrap_or_else(|| panic!("{text}: {page}")));
        assert!(places.is_sorted(), "{places:?}");
        let script = all.iter().find(|asset| asset.path == "/section/two.js");
        assert_eq!(script.expect("it is served").body, "// it");
        assert!(!page.contains(SECTIONS));
    }

    #[test]
    fn all_modules_are_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/ui");
        let files = std::fs::read_dir(folder).expect("the folder");
        let names = files.map(|file| file.expect("a file").file_name());
        let names = names.filter_map(|name| name.into_string().ok());
        let there: BTreeSet<_> = names
            .filter(|name| Path::new(name).extension().is_some_and(|kind| kind == "js"))
            .collect();
        let served: BTreeSet<_> = MODULES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(served, there);
    }

    #[test]
    fn comments_are_not_served_and_lines_keep_their_numbers() {
        let text = "// About it.\nconst url = 'a//b'; // one\n  // two\nlast();\n";
        assert_eq!(
            without_comments(text),
            "\nconst url = 'a//b'; // one\n\nlast();\n"
        );
    }

    #[test]
    fn the_pages_own_files_are_small() {
        let size: usize = assets(&[]).iter().map(|asset| asset.body.len()).sum();
        assert!(size < 64_000, "{size} bytes");
    }
}
