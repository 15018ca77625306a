// Copies `units` words, one per invocation: views that no binding of the kernels can hold, because another view that is
// written shares their 256-byte blocks or because they begin at an odd place, go through the workspace.
// No barriers. Chosen when: the caller's views of one buffer ask for it.

fn invocation(index: u32) {
    if (index < p.units) {
        to_words[p.y_offset + index] = from_words[p.x_offset + index];
    }
}
