// Rows of columns that are taken for one, FOLD of them: what is kept by column begins again with each. Segments are numbered
// as if each row had columns of its own: [outer][row of FOLD][column].

fn column_of(i: u32) -> u32 {
    return i % p.channels;
}
