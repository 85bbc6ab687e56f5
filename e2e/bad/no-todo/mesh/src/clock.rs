//! Left for others.

// TODO: REFUSED
fn now() {
    /* a FIXME in a block is REFUSED too */
    let todos = "a TODO in a text is a text";
}
