//! The contracts with one policy changed, as a file for `USHER_EDGE_DESCRIPTORS`.

use std::path::PathBuf;

use mesh::id;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, Value};
use proto::usher::mesh::v1::MethodPolicy;

/// A file that goes away with its test.
pub(crate) struct Contracts(PathBuf);

impl Contracts {
    /// The contracts of this build, the policy of every method called `method` changed.
    pub(crate) fn with_policy(method: &str, change: impl Fn(&mut MethodPolicy)) -> Self {
        let pool = DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
        let extension = pool.get_extension_by_name("usher.mesh.v1.policy").unwrap();
        // Through the pool's own messages, which keep custom options.
        let descriptor = pool
            .get_message_by_name("google.protobuf.FileDescriptorSet")
            .unwrap();
        let mut set = DynamicMessage::decode(descriptor, proto::DESCRIPTORS).unwrap();
        let mut changed = 0;
        for file in list(&mut set, "file") {
            for service in list(file.as_message_mut().unwrap(), "service") {
                for found in list(service.as_message_mut().unwrap(), "method") {
                    let found = found.as_message_mut().unwrap();
                    if found.get_field_by_name("name").unwrap().as_str() != Some(method) {
                        continue;
                    }
                    let options = found
                        .get_field_by_name_mut("options")
                        .unwrap()
                        .as_message_mut()
                        .unwrap();
                    let before = options.get_extension(&extension).into_owned();
                    let before = before.as_message().unwrap();
                    let mut policy: MethodPolicy = before.transcode_to().unwrap();
                    change(&mut policy);
                    let mut after = DynamicMessage::new(before.descriptor());
                    after.transcode_from(&policy).unwrap();
                    options.set_extension(&extension, Value::Message(after));
                    changed += 1;
                }
            }
        }
        assert_eq!(changed, 1, "{method}");
        Self::of(&set.encode_to_vec())
    }

    /// A file with these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("usher-edge-{}.bin", id::new()));
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.clone()
    }
}

impl Drop for Contracts {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn list<'m>(message: &'m mut DynamicMessage, field: &str) -> &'m mut Vec<Value> {
    message
        .get_field_by_name_mut(field)
        .unwrap()
        .as_list_mut()
        .unwrap()
}
