//! Whether Redis answers, for readiness and for the dashboards.

use std::time::Duration;

use redis::Pipeline;

use super::Redis;
use crate::health::{Health, Need};
use crate::status::chain;
use crate::tasks::Tasks;

/// Name of the check.
const CHECK: &str = "redis";

impl Redis {
    /// Asks the server every `period` whether it is there and shows it in `health` as `need`.
    pub fn keep_watched(&self, health: &Health, need: Need, period: Duration, tasks: &Tasks) {
        let (redis, health) = (self.clone(), health.clone());
        tasks.keep_running("redis watch", move |stop| {
            let (redis, health) = (redis.clone(), health.clone());
            async move {
                let mut ping = Pipeline::with_capacity(1);
                ping.cmd("PING");
                while !stop.is_cancelled() {
                    match redis.run(&ping).await {
                        Ok(_) => health.up(CHECK, need),
                        Err(error) => health.down(CHECK, need, chain(&error)),
                    }
                    tokio::select! {
                        () = tokio::time::sleep(period) => {}
                        () = stop.cancelled() => {}
                    }
                }
            }
        });
    }
}
