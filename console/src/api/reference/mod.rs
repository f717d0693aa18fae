//! The description as a page for people: written once, on this side, with no script and nothing from elsewhere.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The style of the page.
pub(super) const STYLE: &str = include_str!("style.css");

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The page.
pub(super) fn page(description: &str) -> String {
    let api: Value = serde_json::from_str(description).unwrap_or_default();
    let mut page = Page {
        api: &api,
        html: String::new(),
    };
    page.whole();
    page.html
}

struct Page<'a> {
    api: &'a Value,
    html: String,
}

/// Adds HTML. What is in braces is text, and escaped.
macro_rules! add {
    ($page:expr, $format:literal $(, $text:expr)*) => {
        $page.write(format_args!($format $(, escaped($text))*))
    };
}

impl<'a> Page<'a> {
    fn write(&mut self, html: std::fmt::Arguments<'_>) {
        // Writing to a text cannot fail.
        self.html.write_fmt(html).unwrap_or_default();
    }

    fn whole(&mut self) {
        let info = &self.api["info"];
        add!(
            self,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{} API</title>",
            text(&info["title"])
        );
        add!(
            self,
            "<meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"/docs/style.css\">"
        );
        add!(
            self,
            "</head><body><header><h1>{} API</h1><p>{}</p>",
            text(&info["title"]),
            text(&info["description"])
        );
        add!(
            self,
            "<p>Version {}. For programs: <a href=\"/openapi.json\">openapi.json</a></p></header>",
            text(&info["version"])
        );
        self.contents();
        add!(self, "<main>");
        for tag in list(&self.api["tags"]) {
            let name = text(&tag["name"]);
            add!(
                self,
                "<section><h2 id=\"{}\">{}</h2><p>{}</p>",
                name,
                name,
                text(&tag["description"])
            );
            for operation in self.operations(name) {
                self.operation(&operation);
            }
            add!(self, "</section>");
        }
        self.schemas();
        add!(self, "</main></body></html>\n");
    }

    fn contents(&mut self) {
        add!(self, "<nav><ul>");
        for tag in list(&self.api["tags"]) {
            let name = text(&tag["name"]);
            add!(self, "<li><a href=\"#{}\">{}</a><ul>", name, name);
            for Operation { told, .. } in self.operations(name) {
                add!(
                    self,
                    "<li><a href=\"#{}\">{}</a></li>",
                    text(&told["operationId"]),
                    text(&told["summary"])
                );
            }
            add!(self, "</ul></li>");
        }
        add!(self, "<li><a href=\"#schemas\">bodies</a></li></ul></nav>");
    }

    fn operations(&self, tag: &str) -> Vec<Operation<'a>> {
        let mut found = Vec::new();
        for (path, methods) in members(&self.api["paths"]) {
            for method in METHODS {
                if let Some(told) = methods.get(method).filter(|told| told["tags"][0] == tag) {
                    found.push(Operation { path, method, told });
                }
            }
        }
        found
    }

    fn operation(&mut self, Operation { path, method, told }: &Operation<'a>) {
        add!(
            self,
            "<article id=\"{}\"><h3>{}</h3>",
            text(&told["operationId"]),
            text(&told["summary"])
        );
        add!(
            self,
            "<p><code><b>{}</b> {}</code></p><p>{}</p>",
            &method.to_uppercase(),
            path,
            text(&told["description"])
        );
        let parameters = list(&told["parameters"]);
        if !parameters.is_empty() {
            add!(
                self,
                "<table><tr><th>parameter</th><th>in</th><th>type</th><th></th></tr>"
            );
            for parameter in parameters {
                let kind = self.kind(&parameter["schema"]);
                add!(
                    self,
                    "<tr><td><code>{}</code></td><td>{}</td><td>",
                    text(&parameter["name"]),
                    text(&parameter["in"])
                );
                self.html.push_str(&kind);
                add!(self, "</td><td>{}</td></tr>", text(&parameter["description"]));
            }
            add!(self, "</table>");
        }
        for (media_type, content) in members(&told["requestBody"]["content"]) {
            let kind = self.kind(&content["schema"]);
            add!(self, "<p>Body (<code>{}</code>): ", media_type);
            self.html.push_str(&kind);
            add!(self, "</p>");
        }
        add!(self, "<table><tr><th>answer</th><th>body</th><th></th></tr>");
        for (status, answer) in members(&told["responses"]) {
            let answer = self.resolved(answer);
            let kinds: Vec<String> = members(&answer["content"])
                .map(|(_, content)| self.kind(&content["schema"]))
                .collect();
            add!(self, "<tr><td>{}</td><td>", status);
            self.html.push_str(&kinds.join(", "));
            add!(self, "</td><td>{}</td></tr>", text(&answer["description"]));
        }
        add!(self, "</table></article>");
    }

    fn schemas(&mut self) {
        add!(self, "<section><h2 id=\"schemas\">bodies</h2>");
        for (name, schema) in members(&self.api["components"]["schemas"]) {
            add!(
                self,
                "<article id=\"schema-{}\"><h3>{}</h3><p>{}</p>",
                name,
                name,
                text(&schema["description"])
            );
            add!(self, "<table><tr><th>member</th><th>type</th><th></th></tr>");
            let parts: Vec<&Value> = std::iter::once(schema).chain(list(&schema["allOf"])).collect();
            for part in parts {
                let part = self.resolved(part);
                for (member, about) in members(&part["properties"]) {
                    let is_required = list(&part["required"]).iter().any(|name| name == member);
                    let kind = self.kind(about);
                    add!(self, "<tr><td><code>{}</code></td><td>", member);
                    self.html.push_str(&kind);
                    add!(
                        self,
                        "{}</td><td>{}</td></tr>",
                        if is_required { "" } else { ", optional" },
                        text(&about["description"])
                    );
                }
            }
            add!(self, "</table>");
            for example in list(&schema["examples"]) {
                add!(
                    self,
                    "<pre>{}</pre>",
                    &serde_json::to_string_pretty(example).unwrap_or_default()
                );
            }
            add!(self, "</article>");
        }
        add!(self, "</section>");
    }

    /// What a reference refers to, or the value itself.
    fn resolved(&self, value: &'a Value) -> &'a Value {
        let pointer = value["$ref"]
            .as_str()
            .and_then(|reference| reference.strip_prefix('#'));
        pointer
            .and_then(|pointer| self.api.pointer(pointer))
            .unwrap_or(value)
    }

    /// The type of a schema, as HTML: a link where it has a name.
    fn kind(&self, schema: &Value) -> String {
        if let Some(name) = schema["$ref"]
            .as_str()
            .and_then(|reference| reference.rsplit('/').next())
        {
            let name = escaped(name);
            return format!("<a href=\"#schema-{name}\">{name}</a>");
        }
        let choices = list(&schema["oneOf"]).iter().chain(list(&schema["anyOf"]));
        let choices: Vec<String> = choices.map(|choice| self.kind(choice)).collect();
        if !choices.is_empty() {
            return choices.join(" or ");
        }
        if schema["type"] == "array" {
            return format!("list of {}", self.kind(&schema["items"]));
        }
        let names = match &schema["type"] {
            Value::Array(names) => names.iter().map(text).collect::<Vec<_>>().join(" or "),
            name => text(name).to_owned(),
        };
        let mut kind = escaped(&names);
        if let Some(pattern) = schema["pattern"].as_str() {
            kind = format!("{kind} <code>{}</code>", escaped(pattern));
        }
        kind
    }
}

struct Operation<'a> {
    path: &'a str,
    method: &'static str,
    told: &'a Value,
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let members = value.as_object().into_iter().flat_map(Map::iter);
    members.map(|(name, value)| (name.as_str(), value))
}

/// Text within HTML, and within its quoted attributes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
