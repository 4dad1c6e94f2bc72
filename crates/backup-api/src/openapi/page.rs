//! The document as a page for people: plain HTML without a script, made once.

use openssl::base64::encode_block;
use openssl::sha::sha256;
use serde_json::Value;

use super::html::{code, escape, prose, type_of};
use crate::language::Language;

const STYLE: &str = include_str!("page.css");

/// The content security policy of the page: its own style, and nothing else.
pub(super) fn policy() -> String {
    let hash = encode_block(&sha256(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
}

/// The page of this document.
pub(super) fn render(document: &Value, language: Language) -> String {
    let page = Page { document, language };
    let title = page.say("docs.title");
    format!(
        "<!doctype html>\n<html lang=\"{lang}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<header>\n<h1>{title}</h1>\n{about}\n<p><a href=\"openapi.json\">{machine}</a></p>\n</header>\n\
         <nav>\n{contents}</nav>\n<main>\n{sections}{schemas}</main>\n</body>\n</html>\n",
        lang = language.tag(),
        about = prose(&document["info"]["description"]),
        machine = page.say("docs.machine"),
        contents = page.contents(),
        sections = page.tags().map(|tag| page.section(tag)).collect::<String>(),
        schemas = page.schemas(),
    )
}

struct Page<'a> {
    document: &'a Value,
    language: Language,
}

/// A method and path, and the operation.
type Operation<'a> = (String, &'a str, &'a Value);

impl Page<'_> {
    fn say(&self, key: &str) -> String {
        escape(&self.language.say(key, &[]))
    }

    fn tags(&self) -> impl Iterator<Item = &Value> {
        self.document["tags"].as_array().into_iter().flatten()
    }

    fn operations(&self, tag: &Value) -> impl Iterator<Item = Operation<'_>> {
        let paths = self.document["paths"].as_object().into_iter().flatten();
        let all = paths.flat_map(|(path, item)| {
            let methods = item.as_object().into_iter().flatten();
            methods.map(move |(method, operation)| (method.to_uppercase(), path.as_str(), operation))
        });
        let tag = tag["name"].clone();
        all.filter(move |(_, _, operation)| operation["tags"][0] == tag)
    }

    fn contents(&self) -> String {
        let line = |(method, path, operation): Operation<'_>| {
            let id = text(&operation["operationId"]);
            format!("<li><a href=\"#{id}\"><b>{method}</b> {}</a></li>\n", escape(path))
        };
        let list = |tag| format!("<ul>\n{}</ul>\n", self.operations(tag).map(line).collect::<String>());
        self.tags().map(list).collect()
    }

    fn section(&self, tag: &Value) -> String {
        format!(
            "<section>\n<h2>{}</h2>\n{}\n{}</section>\n",
            text(&tag["name"]),
            prose(&tag["description"]),
            self.operations(tag)
                .map(|operation| self.operation(operation))
                .collect::<String>(),
        )
    }

    fn operation(&self, (method, path, operation): Operation<'_>) -> String {
        format!(
            "<article id=\"{id}\">\n<h3><b>{method}</b> {path}</h3>\n{summary}\n{about}\n<p>{access}: {level}</p>\n\
             {parameters}{body}{answers}</article>\n",
            id = text(&operation["operationId"]),
            path = escape(path),
            summary = prose(&operation["summary"]),
            about = prose(&operation["description"]),
            access = self.say("docs.access"),
            level = code(&operation["x-access"]),
            parameters = self.parameters(&operation["parameters"]),
            body = self.body(&operation["requestBody"]),
            answers = self.answers(&operation["responses"]),
        )
    }

    fn parameters(&self, parameters: &Value) -> String {
        let row = |parameter: &Value| {
            let parameter = self.resolve(parameter);
            row(
                &parameter["name"],
                &type_of(&parameter["schema"]),
                &self.marks(parameter["required"] == true, &parameter["schema"]),
                &parameter["description"],
            )
        };
        let rows: String = parameters.as_array().into_iter().flatten().map(row).collect();
        self.table("docs.parameters", &rows)
    }

    fn body(&self, body: &Value) -> String {
        match body["content"].as_object().and_then(|content| content.iter().next()) {
            Some((kind, content)) => format!(
                "<h4>{}</h4>\n<p>{} <code>{}</code></p>\n",
                self.say("docs.body"),
                type_of(&content["schema"]),
                escape(kind),
            ),
            None => String::new(),
        }
    }

    fn answers(&self, answers: &Value) -> String {
        let row = |(status, answer): (&String, &Value)| {
            let answer = self.resolve(answer);
            let content = answer["content"].as_object().and_then(|content| content.iter().next());
            let (kind, what) = content.map_or_else(Default::default, |(kind, content)| {
                (escape(kind), type_of(&content["schema"]))
            });
            format!(
                "<tr><th>{}</th><td>{what}</td><td>{kind}</td><td>{}</td></tr>\n",
                escape(status),
                prose(&answer["description"]),
            )
        };
        let rows: String = answers.as_object().into_iter().flatten().map(row).collect();
        self.table("docs.responses", &rows)
    }

    fn schemas(&self) -> String {
        let schemas = self.document["components"]["schemas"].as_object().into_iter().flatten();
        let articles: String = schemas.map(|(name, schema)| self.schema(name, schema)).collect();
        format!(
            "<section>\n<h2>{}</h2>\n{articles}</section>\n",
            self.say("docs.schemas")
        )
    }

    fn schema(&self, name: &str, schema: &Value) -> String {
        // Of several parts, the last is what this one adds to the others.
        let parts: Vec<&Value> = match schema["allOf"].as_array() {
            Some(parts) => parts.iter().collect(),
            None => vec![schema],
        };
        let others: String = parts
            .iter()
            .filter(|part| part.get("$ref").is_some())
            .map(|part| type_of(part))
            .collect();
        let rows: String = parts.iter().map(|part| self.fields(part)).collect();
        let kind = if rows.is_empty() { type_of(schema) } else { others };
        format!(
            "<article id=\"schema-{name}\">\n<h3>{name}</h3>\n{about}\n<p>{kind}</p>\n{table}</article>\n",
            name = escape(name),
            about = prose(&schema["description"]),
            table = self.table("docs.fields", &rows),
        )
    }

    fn fields(&self, schema: &Value) -> String {
        let required = |name: &String| {
            let names = schema["required"].as_array().into_iter().flatten();
            names.filter_map(Value::as_str).any(|other| other == name)
        };
        let row = |(name, field): (&String, &Value)| {
            let marks = self.marks(required(name), field);
            row(
                &Value::from(name.as_str()),
                &type_of(field),
                &marks,
                &field["description"],
            )
        };
        schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(row)
            .collect()
    }

    fn marks(&self, required: bool, schema: &Value) -> String {
        if required {
            return self.say("docs.required");
        }
        match schema.get("default") {
            Some(default) => format!("= {}", code(default)),
            None => String::new(),
        }
    }

    fn table(&self, title: &str, rows: &str) -> String {
        if rows.is_empty() {
            return String::new();
        }
        format!("<h4>{}</h4>\n<table>\n{rows}</table>\n", self.say(title))
    }

    /// What a `$ref` within the document refers to.
    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let reference = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        reference
            .and_then(|pointer| self.document.pointer(pointer))
            .unwrap_or(value)
    }
}

fn row(name: &Value, kind: &str, marks: &str, about: &Value) -> String {
    format!(
        "<tr><th>{}</th><td>{kind}</td><td>{marks}</td><td>{}</td></tr>\n",
        text(name),
        prose(about)
    )
}

fn text(value: &Value) -> String {
    escape(value.as_str().unwrap_or_default())
}
