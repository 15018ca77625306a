// Writes units where indices count units.

fn store(c: Cursor, v: Unit) {
    put(place_in_y(c), pack(v));
}
