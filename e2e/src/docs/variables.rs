//! The table of variables in README.md: what each program reads, from the tables that the programs read by.

use booking_svc::PROGRAM as BOOKING;
use edge_proxy::PROGRAM as EDGE;
use mesh::config::Variable;

use crate::demo;

/// The table begins behind this line.
pub const BEGIN: &str = "<!-- variables -->";
/// The table ends before this line.
pub const END: &str = "<!-- /variables -->";

/// A program and the variables it reads.
type Program = (&'static str, &'static [&'static [&'static Variable]]);

const PROGRAMS: &[Program] = &[
    (EDGE.name, EDGE.variables),
    (BOOKING.name, BOOKING.variables),
    (
        payment_svc::service::NAME,
        &[mesh::config::VARIABLES, payment_svc::config::VARIABLES],
    ),
    (queue_svc::service::NAME, &[queue_svc::config::VARIABLES]),
    (coupon_svc::service::NAME, &[coupon_svc::config::VARIABLES]),
    ("pg-sim", &[pg_sim::config::VARIABLES]),
    ("usher-demo", &[demo::VARIABLES]),
    ("tests", &[&[&mesh::pg::testing::DATABASE_ADMIN_URL], TESTS]),
    ("dev/stack", &[STACK]),
];

/// What `dev/test` tells the tests.
const TESTS: &[&Variable] = &[&Variable::optional(
    "USHER_TOOLS_DIR",
    "folder of grpcurl, buf and the Python that tests call",
)];

/// Servers of your own, so that `dev/stack` starts none.
const STACK: &[&Variable] = &[
    &Variable::optional("USHER_REDIS_URL", "a Redis of your own").secret(),
    &Variable::optional(
        "USHER_BOOKING_DATABASE_URL",
        "with the four beside it: a Postgres of your own",
    )
    .secret(),
    &Variable::optional(
        "USHER_PAYMENT_DATABASE_URL",
        "with the four beside it: a Postgres of your own",
    )
    .secret(),
    &Variable::optional(
        "USHER_QUEUE_DATABASE_URL",
        "with the four beside it: a Postgres of your own",
    )
    .secret(),
    &Variable::optional(
        "USHER_COUPON_DATABASE_URL",
        "with the four beside it: a Postgres of your own",
    )
    .secret(),
];

/// The variables of one program; none when there is no such program.
#[must_use]
pub fn of(program: &str) -> Vec<&'static Variable> {
    let tables = PROGRAMS.iter().filter(|(name, _)| *name == program);
    let tables = tables.flat_map(|(_, tables)| tables.iter());
    tables.copied().flatten().copied().collect()
}

/// Every variable that something here reads.
pub fn all() -> impl Iterator<Item = &'static Variable> {
    let tables = PROGRAMS.iter().flat_map(|(_, tables)| tables.iter());
    tables.copied().flatten().copied()
}

/// The table.
#[must_use]
pub fn table() -> String {
    let mut rows: Vec<(&'static Variable, Vec<&'static str>)> = Vec::new();
    for (program, tables) in PROGRAMS {
        for variable in tables.iter().copied().flatten().copied() {
            let same = |row: &&mut (&Variable, _)| {
                row.0.name == variable.name && row.0.meaning == variable.meaning
            };
            match rows.iter_mut().find(same) {
                Some((_, programs)) => programs.push(program),
                None => rows.push((variable, vec![program])),
            }
        }
    }
    rows.sort_by_key(|(variable, _)| variable.name);
    let mut text = "| variable | default | read by | meaning |\n|---|---|---|---|\n".to_owned();
    for (variable, programs) in rows {
        let default = match (variable.required, variable.default) {
            (true, _) => "required".to_owned(),
            (false, Some(default)) => format!("`{default}`"),
            (false, None) => "-".to_owned(),
        };
        let meaning = variable.meaning.replace('|', "\\|");
        text.push_str(&format!(
            "| `{}` | {default} | {} | {meaning} |\n",
            variable.name,
            programs.join(", ")
        ));
    }
    text
}

/// The README with the table in its place; `None` when it has no place for one.
#[must_use]
pub fn replace(readme: &str) -> Option<String> {
    let (before, rest) = readme.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{}{END}{after}", table()))
}
