//! What makes a process a member of the mesh: mechanism only, no word of any business.
//!
//! Start at [`config`] and [`telemetry`] (how a process begins), then [`server`] (how it answers), [`tasks`] (how it ends).
//! [`clock`], [`id`], [`random`] and [`money`] are the seams through which everything else reads the world.

pub mod admin;
pub mod amqp;
pub mod client;
pub mod clock;
pub mod config;
pub mod dead_letters;
pub mod deadline;
pub mod descriptors;
pub mod events;
pub mod faults;
pub mod health;
pub mod id;
pub mod identity;
pub mod inbox;
pub mod money;
pub mod outbox;
pub mod page;
pub mod pg;
pub mod policy;
pub mod process;
pub mod random;
pub mod redis;
pub mod server;
mod signals;
pub mod status;
pub mod tasks;
pub mod telemetry;
pub mod timings;
pub mod trace;
