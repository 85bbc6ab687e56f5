//! Exchanges, queues and bindings, declared alike by everybody who uses them.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, ExchangeKind};

use super::broker::Broker;
use super::link::{AmqpError, answer, short};
use crate::events::Events;

/// Deliveries of one message before it goes to the park queue by itself: a handler that kills its process would otherwise do so for ever.
/// Stops and lost connections count as well, so it is no small number.
const DELIVERY_LIMIT: i64 = 20;

/// The queue for messages of `queue` that cannot be handled.
#[must_use]
pub fn park_queue(queue: &str) -> String {
    format!("{queue}.park")
}

/// Declares every exchange, queue and binding of `events`. Repeating it changes nothing; a queue that exists with other arguments is an error.
pub(super) async fn declare(
    channel: &Channel,
    broker: &Broker,
    events: &Events,
) -> Result<(), AmqpError> {
    for (kind, route) in events.iter() {
        let exchange = broker.name(&route.exchange);
        let options = ExchangeDeclareOptions {
            durable: true,
            ..Default::default()
        };
        answer(
            "exchange.declare",
            channel.exchange_declare(
                short(&exchange)?,
                ExchangeKind::Topic,
                options,
                FieldTable::default(),
            ),
        )
        .await?;
        for consumer in &route.consumers {
            let queue = broker.name(consumer);
            let park = park_queue(&queue);
            declare_queue(channel, &park, quorum()).await?;
            declare_queue(channel, &queue, parking_at(&park)).await?;
            answer(
                "queue.bind",
                channel.queue_bind(
                    short(&queue)?,
                    short(&exchange)?,
                    short(kind)?,
                    QueueBindOptions::default(),
                    FieldTable::default(),
                ),
            )
            .await?;
        }
    }
    Ok(())
}

async fn declare_queue(
    channel: &Channel,
    name: &str,
    arguments: FieldTable,
) -> Result<(), AmqpError> {
    let options = QueueDeclareOptions {
        durable: true,
        ..Default::default()
    };
    answer(
        "queue.declare",
        channel.queue_declare(short(name)?, options, arguments),
    )
    .await?;
    Ok(())
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(text))
}

fn quorum() -> FieldTable {
    let mut table = FieldTable::default();
    table.insert("x-queue-type".into(), text("quorum"));
    table
}

/// A quorum queue whose rejected messages stay in it until the park queue has confirmed them; that strategy demands reject-publish, which
/// without a length limit never refuses.
fn parking_at(park: &str) -> FieldTable {
    let mut table = quorum();
    table.insert(
        "x-delivery-limit".into(),
        AMQPValue::LongLongInt(DELIVERY_LIMIT),
    );
    table.insert("x-dead-letter-exchange".into(), text(""));
    table.insert("x-dead-letter-routing-key".into(), text(park));
    table.insert("x-dead-letter-strategy".into(), text("at-least-once"));
    table.insert("x-overflow".into(), text("reject-publish"));
    table
}
