//! Looks at whole answers: good ones, spoilt ones, and growing ones.

mod bad_answers;
mod bank;
mod corpus;
mod good_answers;
mod streams;
