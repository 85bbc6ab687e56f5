//! Leading comments of the contracts, where the pool keeps their sources.

use std::collections::HashMap;

use prost_reflect::{
    EnumDescriptor, FieldDescriptor, FileDescriptor, MessageDescriptor, MethodDescriptor,
    ServiceDescriptor,
};

use crate::router::Router;

/// Comments by file and place in it.
pub(super) struct Comments(HashMap<(String, Vec<i32>), String>);

impl Comments {
    pub(super) fn of(router: &Router) -> Self {
        let mut comments = HashMap::new();
        let first = router.routes().first();
        let files = first.map(|route| route.method.parent_pool().clone());
        for file in files.iter().flat_map(prost_reflect::DescriptorPool::files) {
            let source = file.file_descriptor_proto().source_code_info.as_ref();
            for location in source.into_iter().flat_map(|source| &source.location) {
                if let Some(text) = &location.leading_comments {
                    let place = (file.name().to_owned(), location.path.clone());
                    comments.insert(place, joined(text));
                }
            }
        }
        Self(comments)
    }

    fn at(&self, file: &FileDescriptor, path: &[i32]) -> String {
        let place = (file.name().to_owned(), path.to_vec());
        self.0.get(&place).cloned().unwrap_or_default()
    }

    pub(super) fn of_service(&self, service: &ServiceDescriptor) -> String {
        self.at(&service.parent_file(), service.path())
    }

    pub(super) fn of_method(&self, method: &MethodDescriptor) -> String {
        self.at(&method.parent_file(), method.path())
    }

    pub(super) fn of_message(&self, message: &MessageDescriptor) -> String {
        self.at(&message.parent_file(), message.path())
    }

    pub(super) fn of_field(&self, field: &FieldDescriptor) -> String {
        self.at(&field.parent_file(), field.path())
    }

    pub(super) fn of_enum(&self, kind: &EnumDescriptor) -> String {
        let values = kind.values().map(|value| {
            let about = self.at(&kind.parent_file(), value.path());
            format!("- `{}`: {about}", value.name())
        });
        let values: Vec<String> = values.collect();
        let about = self.at(&kind.parent_file(), kind.path());
        format!("{about}\n\n{}", values.join("\n"))
    }
}

/// Lines of a comment were broken for the source, not for the reader.
fn joined(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let paragraphs = lines.split(|line| line.is_empty());
    let paragraphs: Vec<String> = paragraphs.map(|lines| lines.join(" ")).collect();
    paragraphs.join("\n\n").trim().to_owned()
}
