// Writes units that begin at any element, element by element.

fn store(c: Cursor, v: Unit) {
    let index = place_in_y(c);
    put_eight(index, v[0], v[1]);
    put_eight(index + 8u, v[2], v[3]);
}

fn put_eight(index: u32, even: vec4<f32>, odd: vec4<f32>) {
    put(index, even.x);
    put(index + 1u, odd.x);
    put(index + 2u, even.y);
    put(index + 3u, odd.y);
    put(index + 4u, even.z);
    put(index + 5u, odd.z);
    put(index + 6u, even.w);
    put(index + 7u, odd.w);
}
