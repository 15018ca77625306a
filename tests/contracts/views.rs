//! Views: offsets, ranges of an arena, in place; and no word beyond the outputs is touched.

use wgnorm::verify::transfer::{download, upload};
use wgnorm::verify::{Case, Norm, Outcome, judge};
use wgnorm::{Affine, ErrorKind, Forward, Layout, Record, Variant, View};

use super::common::context;
use super::{batch, case, layer};

/// Words before, between and after tensors, which must survive.
const GUARD: usize = 70;

/// Where a tensor lies: a buffer, by number, and the first word in it.
type Place = (usize, usize);

/// Where the tensors of a call lie. In place: y where x is.
struct Places {
    x: Place,
    y: Place,
    weight: Place,
    bias: Place,
    statistics: Place,
}

/// Runs a case with its tensors at `places`, judges it, and checks that all other words are as they were.
fn check(case: &Case, variant: Option<Variant>, places: &Places) {
    let mut operation = case.operation().unwrap();
    operation.variant = variant;
    let plan = operation.plan(context()).unwrap();
    let (elements, records) = (case.x.len(), plan.segments() * 4);
    let (weight, bias) = (case.weight.as_ref().unwrap(), case.bias.as_ref().unwrap());
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<u32>>();
    let guards =
        |(buffer, _): Place, len: usize| (0..len).map(move |i| 0xa5a5_0000 | (buffer << 12 | i & 0xfff) as u32);

    let mut contents: Vec<Vec<u32>> = Vec::new();
    let mut put = |place: Place, words: Option<Vec<u32>>, len: usize| {
        let (buffer, first) = place;
        contents.resize_with(contents.len().max(buffer + 1), Vec::new);
        let old = contents[buffer].len();
        let end = old.max(first + len + GUARD);
        contents[buffer].extend(guards(place, end).skip(old));
        if let Some(words) = words {
            contents[buffer][first..first + len].copy_from_slice(&words);
        }
    };
    put(places.y, None, elements);
    put(places.statistics, None, records);
    put(places.x, Some(bits(&case.x)), elements);
    put(places.weight, Some(bits(weight)), weight.len());
    put(places.bias, Some(bits(bias)), bias.len());

    let buffers: Vec<_> = contents.iter().map(|words| upload(context(), "arena", words)).collect();
    let view = |(buffer, first): Place| View::new(&buffers[buffer]).offset(first as u64);
    let workspace = context().create_workspace(plan.workspace_size());
    let args = Forward::new(view(places.x), view(places.y))
        .weight(view(places.weight))
        .bias(view(places.bias))
        .statistics(view(places.statistics))
        .workspace(&workspace);
    let mut encoder = context().device().create_command_encoder(&Default::default());
    match plan.forward(&mut encoder, &args) {
        // A forced variant may need aligned tensors.
        Err(error) if variant.is_some() && error.kind() == ErrorKind::Variant => return,
        result => result.unwrap(),
    }
    context().queue().submit([encoder.finish()]);

    let after: Vec<Vec<u32>> = (buffers.iter().zip(&contents))
        .map(|(buffer, words)| pollster::block_on(download(context(), buffer, 0..words.len())).unwrap())
        .collect();
    let take = |(buffer, first): Place, len: usize| &after[buffer][first..first + len];
    let outcome = Outcome {
        y: bytemuck::cast_slice(take(places.y, elements)).to_vec(),
        records: bytemuck::cast_slice::<_, Record>(take(places.statistics, records)).to_vec(),
        running_mean: None,
        running_var: None,
        variant: plan.variant(),
        dispatches: plan.dispatches(),
        bits_stable: true,
        stray_writes: 0,
    };
    let verdict = judge(case, &outcome);
    assert!(verdict.passed(), "{} {variant:?}: {:?}", case.id, verdict.failures);
    let written = [(places.y, elements), (places.statistics, records)];
    for (buffer, (before, after)) in contents.iter().zip(&after).enumerate() {
        for (word, (before, after)) in before.iter().zip(after).enumerate() {
            let inside = |&((b, first), len): &(Place, usize)| b == buffer && (first..first + len).contains(&word);
            let untouched = before == after || written.iter().any(inside);
            assert!(
                untouched,
                "{} {variant:?}: wrote word {word} of buffer {buffer}",
                case.id
            );
        }
    }
}

fn each_variant(places: impl Fn(&Case) -> Places) {
    let group = Norm::Group {
        groups: 3,
        affine: Affine::PerChannel,
    };
    let cases = [
        layer(5, 257),
        layer(3, 64),
        layer(70, 3),
        layer(2, 4099),
        layer(3, 1),
        batch(&[37, 5], Layout::ChannelsLast),
        batch(&[129, 64], Layout::ChannelsLast),
        batch(&[3, 5, 85], Layout::ChannelsFirst),
        case(group.clone(), &[2, 9, 7], Layout::ChannelsFirst),
        case(group, &[2, 7, 9], Layout::ChannelsLast),
    ];
    for case in cases {
        let candidates = case.operation().unwrap().candidates(context()).unwrap();
        for variant in [None].into_iter().chain(candidates.into_iter().map(Some)) {
            check(&case, variant, &places(&case));
        }
    }
}

/// The first word of a fresh 256-byte block after `end`, with guard words between.
fn block_after(end: usize) -> usize {
    (end + GUARD).next_multiple_of(64)
}

/// x, y, statistics, weight and bias in blocks of one buffer; `y` of x's place.
fn arena(case: &Case, y: impl Fn(usize) -> usize) -> Places {
    let (elements, parameters) = (case.x.len(), case.weight.as_ref().unwrap().len());
    let x = 64;
    let y = y(x);
    let statistics = block_after(x.max(y) + elements);
    // No segment has less than one element.
    let weight = block_after(statistics + 4 * elements);
    let bias = block_after(weight + parameters);
    Places {
        x: (0, x),
        y: (0, y),
        statistics: (0, statistics),
        weight: (0, weight),
        bias: (0, bias),
    }
}

#[test]
fn buffers_of_their_own() {
    each_variant(|_| Places {
        x: (0, 0),
        y: (1, 0),
        weight: (2, 0),
        bias: (3, 0),
        statistics: (4, 0),
    });
}

#[test]
fn odd_offsets() {
    each_variant(|_| Places {
        x: (0, 1),
        y: (1, 67),
        weight: (2, 3),
        bias: (3, 130),
        statistics: (4, 64),
    });
}

#[test]
fn blocks_of_one_buffer() {
    each_variant(|case| arena(case, |x| block_after(x + case.x.len())));
}

#[test]
fn in_place_in_an_arena() {
    each_variant(|case| arena(case, |x| x));
}

#[test]
fn y_right_behind_x() {
    each_variant(|case| arena(case, |x| x + case.x.len()));
}

#[test]
fn in_place_at_an_odd_offset() {
    each_variant(|_| Places {
        x: (0, 33),
        y: (0, 33),
        weight: (1, 0),
        bias: (1, 8192),
        statistics: (2, 0),
    });
}
