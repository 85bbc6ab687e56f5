use super::*;

mod brute;
mod cases;
mod evaluation;
mod properties;
mod samples;
mod why;
