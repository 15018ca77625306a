// node check.mjs DIR [PART PARTS]: compiles every composition that `cargo test --test tint -- DIR` wrote with Dawn, runs its plans
// and compares what they write. On Dawn's null backend, which only validates, where there is no adapter; says so.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, globals } from 'webgpu';

Object.assign(globalThis, globals);
const folder = process.argv[2];
// One of several processes that share the work: Tint takes one thread.
const [part, parts] = [Number(process.argv[3] ?? 0), Number(process.argv[4] ?? 1)];
const mine = number => number % parts === part;
const read = name => JSON.parse(readFileSync(join(folder, name)));
const failures = [];
const fail = (what, why) => {
    failures.push(what);
    console.error(`FAILED ${what}\n${why}\n`);
};

// Dawn ends with the last reference to it, and a variable that is not read any more is none.
globalThis.gpu = create(['backend=vulkan']);
let adapter = await gpu.requestAdapter();
const executes = adapter !== null;
if (!executes) {
    globalThis.gpu = create(['backend=null']);
    adapter = await gpu.requestAdapter();
}
const { info } = adapter;
console.log(`tint: on ${executes ? `${info.vendor} ${info.architecture} ${info.description}` : 'no adapter'}`);
const subgroups = adapter.features.has('subgroups');
const device = await adapter.requestDevice({ requiredFeatures: subgroups ? ['subgroups'] : [] });
device.addEventListener('uncapturederror', event => fail('the device', event.error.message));
device.lost.then(({ reason, message }) => {
    if (reason !== 'destroyed') {
        // Nothing that follows would mean anything.
        console.error(`FAILED the device is lost: ${message}`);
        process.exit(1);
    }
});

/** The errors that `action` makes on the device, and its result. */
async function scoped(action) {
    const filters = ['validation', 'out-of-memory', 'internal'];
    filters.forEach(filter => device.pushErrorScope(filter));
    let result, thrown = [];
    try {
        result = await action();
    } catch (error) {
        thrown = [error.message];
    }
    const errors = await Promise.all(filters.map(() => device.popErrorScope()));
    return [result, [...errors.filter(error => error).map(error => error.message), ...thrown]];
}

// Compositions

// Every composition and every plan, or, for a short check, one composition of so many (WGNORM_TINT_EVERY) with one
// plan of a quarter as many, and its compositions.
const every = Number(process.env.WGNORM_TINT_EVERY ?? 1);
// Only compositions whose headers have this in them, and no plans: for the file at hand (WGNORM_TINT_ONLY=scaler).
const only = process.env.WGNORM_TINT_ONLY ?? '';
const sampled = (number, every) => mine(number) && Math.floor(number / parts) % every === 0;
const compositions = read('compositions.json');
const plans = only ? [] : read('plans.json').filter((_, i) => sampled(i, Math.ceil(every / 4)));
const runs = new Set(plans.flatMap(plan => plan.dispatches.map(dispatch => dispatch.composition)));
const layouts = new Map();

function layout(bindings) {
    const key = JSON.stringify(bindings);
    if (!layouts.has(key)) {
        const entry = (binding, type) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } });
        const group = device.createBindGroupLayout({
            entries: [entry(0, 'uniform'), ...bindings.map(([binding, type]) => entry(binding, type))],
        });
        layouts.set(key, { group, pipeline: device.createPipelineLayout({ bindGroupLayouts: [group] }) });
    }
    return layouts.get(key);
}

/** The module of a composition, if it compiles. */
async function compile(name, code) {
    const [[module, messages], errors] = await scoped(async () => {
        const module = device.createShaderModule({ code });
        return [module, (await module.getCompilationInfo()).messages];
    });
    const lines = messages.map(({ type, lineNum, linePos, message }) => `${type} ${lineNum}:${linePos} ${message}`);
    if (errors.length > 0 || messages.some(({ type }) => type === 'error')) {
        fail(name, [...lines, ...errors].join('\n'));
        return null;
    }
    lines.forEach(line => warnings.set(line, name));
    return module;
}

/** Has the backend compile a module too, on a thread of its own. */
async function link(number, name, module) {
    try {
        const pipeline = await device.createComputePipelineAsync({
            layout: layout(compositions[number].bindings).pipeline,
            compute: { module, entryPoint: 'main' },
        });
        linked += 1;
        if (runs.has(number)) {
            pipelines.set(number, pipeline);
        }
    } catch (error) {
        fail(name, error.message);
    }
}

// A pipeline takes the backend a third of a second, so that not all of them are made: those that plans run, and a few
// of the others. Without an adapter there is no backend to compile.
const links = number => runs.has(number) || number % 512 === 0;
const numbers = [...compositions.keys()]
    .filter(number => sampled(number, every) || runs.has(number))
    .filter(number => compositions[number].header.includes(only));
// Those are spread evenly: a thread that waits for pipelines polls, and takes a processor from those that make them.
const spread = list => list.map((number, i) => [(i + 1) / list.length, number]);
const order = [...spread(numbers.filter(links)), ...spread(numbers.filter(number => !links(number)))];
order.sort(([a], [b]) => a - b);
const warnings = new Map();
const pipelines = new Map();
const linking = new Set();
let compiled = 0, linked = 0, without = 0;
let start = performance.now();
const seconds = () => `${((performance.now() - start) / 1000).toFixed(0)} s`;
for (const [i, [, number]] of order.entries()) {
    const { header, subgroups: needed } = compositions[number];
    if (needed && !subgroups) {
        without += 1;
        continue;
    }
    const name = `${number}.wgsl (${header})`;
    const module = await compile(name, readFileSync(join(folder, `${number}.wgsl`), 'utf8'));
    compiled += module ? 1 : 0;
    if (module && links(number)) {
        const task = link(number, name, module).finally(() => linking.delete(task));
        linking.add(task);
        // Those that wait take memory.
        if (linking.size >= 32) {
            await Promise.race(linking);
        }
    }
    if ((i + 1) % 2000 === 0) {
        console.log(`tint: ${i + 1} of ${order.length} compositions, ${seconds()}`);
    }
}
await Promise.all(linking);
console.log(`tint: ${compiled} compositions and ${linked} pipelines took ${seconds()}`);
warnings.forEach((name, line) => console.log(`${name}: ${line}`));

// Plans

const file = readFileSync(join(folder, 'plans.bin'));
const data = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength);

function bufferOf(contents, usage) {
    const buffer = device.createBuffer({ size: contents.byteLength, usage, mappedAtCreation: true });
    new Uint8Array(buffer.getMappedRange()).set(new Uint8Array(contents));
    buffer.unmap();
    return buffer;
}

/** The contents of the buffers after the dispatches, which go into one pass. */
async function run({ buffers, dispatches }) {
    const { STORAGE, UNIFORM, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
    const made = [];
    const make = buffer => (made.push(buffer), buffer);
    const before = buffers.map(([start, size]) => data.slice(start, start + size));
    // A buffer that no step binds has no size.
    const storage = before.map(contents =>
        contents.byteLength > 0 ? make(bufferOf(contents, STORAGE | COPY_SRC)) : null);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const { composition, params, workgroups, bindings } of dispatches) {
        const block = make(bufferOf(data.slice(params[0], params[0] + params[1]), UNIFORM));
        const entries = bindings.map(([binding, [buffer, start, end]]) => ({
            binding,
            resource: { buffer: storage[buffer], offset: start, size: end - start },
        }));
        pass.setPipeline(pipelines.get(composition));
        pass.setBindGroup(0, device.createBindGroup({
            layout: layout(compositions[composition].bindings).group,
            entries: [{ binding: 0, resource: { buffer: block } }, ...entries],
        }));
        pass.dispatchWorkgroups(...workgroups);
    }
    pass.end();
    const staging = storage.map(buffer => {
        if (!buffer) {
            return null;
        }
        const copy = make(device.createBuffer({ size: buffer.size, usage: COPY_DST | MAP_READ }));
        encoder.copyBufferToBuffer(buffer, 0, copy, 0, buffer.size);
        return copy;
    });
    device.queue.submit([encoder.finish()]);
    const after = [];
    for (const copy of staging) {
        await copy?.mapAsync(GPUMapMode.READ);
        after.push(copy ? copy.getMappedRange().slice() : new ArrayBuffer(0));
    }
    made.forEach(buffer => buffer.destroy());
    return { before, after };
}

/** The values of an output: those of a tensor, or means or reciprocal scales of records (m, e, r, scale). */
function* values(name, words) {
    if (name !== 'mean' && name !== 'rstd') {
        yield* words;
        return;
    }
    for (let i = 0; i < words.length; i += 4) {
        const [m, e, r, scale] = words.subarray(i, i + 4);
        yield name === 'mean' ? (m + e) / scale : r * scale;
    }
}

/** As `verify::compare`. */
function agrees(actual, expected, { rtol, atol }) {
    if (!Number.isFinite(expected)) {
        return !Number.isFinite(actual);
    }
    const largest = 3.4028234663852886e38;
    if (!Number.isFinite(actual)) {
        return Math.abs(expected) > largest && actual === Math.sign(expected) * Infinity;
    }
    return Math.abs(actual - expected) <= atol + rtol * Math.abs(expected);
}

function differences({ outputs, written }, { before, after }) {
    const wrong = [];
    const [was, is] = [before, after].map(buffers => buffers.map(contents => new Uint32Array(contents.slice(0))));
    // What may change does not count.
    for (const [buffer, start, end] of written) {
        // A workspace that nothing needs is no buffer.
        [was, is].forEach(buffers => buffers[buffer]?.fill(0, start / 4, end / 4));
    }
    for (const output of outputs) {
        const { name, place: [buffer, start, end], expected: [at, count] } = output;
        const reference = new Float64Array(data, at, count);
        const place = new Float32Array(after[buffer], start, (end - start) / 4);
        const words = output.words ? new Uint32Array(data, ...output.words) : place.map((_, i) => i);
        words.forEach(word => [was, is].forEach(buffers => buffers[buffer][start / 4 + word] = 0));
        const actual = [...values(name, Float32Array.from(words, word => place[word]))];
        if (actual.length !== count) {
            wrong.push(`${name}: ${actual.length} values instead of ${count}`);
        }
        const off = actual.findIndex((value, i) => !agrees(value, reference[i], output));
        if (off >= 0) {
            const { rtol, atol } = output;
            wrong.push(`${name}[${off}] is ${actual[off]} instead of ${reference[off]} (${atol} + ${rtol} relative)`);
        }
    }
    for (const buffer of is.keys()) {
        const word = is[buffer].findIndex((word, i) => word !== was[buffer][i]);
        if (word >= 0) {
            wrong.push(`word ${word} of buffer ${buffer} is no output, and has changed`);
        }
    }
    return wrong;
}

// The plans were made for subgroups of at least four invocations.
const fits = subgroups && info.subgroupMinSize >= 4;
let ran = 0, unfit = 0;
start = performance.now();
for (const plan of plans) {
    const steps = plan.dispatches.map(({ composition }) => composition);
    if (!fits && steps.some(number => compositions[number].subgroups)) {
        unfit += 1;
        continue;
    }
    if (!steps.every(number => pipelines.has(number))) {
        fail(plan.name, 'one of its compositions does not compile');
        continue;
    }
    const [result, errors] = await scoped(() => run(plan));
    const wrong = errors.length > 0 || !executes ? errors : differences(plan, result);
    if (wrong.length > 0) {
        fail(plan.name, wrong.join('\n'));
    }
    ran += 1;
}
console.log(`tint: ${ran} plans took ${seconds()}`);

if (without + unfit > 0) {
    console.log(`tint: left out for want of subgroups: ${without} compositions, ${unfit} plans`);
}
const [depth, verb] = executes
    ? [`${linked} by the backend too`, 'executed']
    : ['by no backend', 'validated, not executed (Dawn finds no Vulkan adapter)'];
console.log(`tint: ${compiled} compositions compiled (${depth}), ${ran} plans ${verb}, ${failures.length} failed`);
device.destroy();
delete globalThis.gpu;
process.exitCode = failures.length > 0 ? 1 : 0;
