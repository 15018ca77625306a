// Elements are overwritten.

fn load(place: u32) -> u32 {
    return y[place];
}
