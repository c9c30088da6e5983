// Reads what app/charts/payload.py packs: header length, JSON header, arrays.

const ARRAY_TYPES = { uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array };

async function readPayload(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const body = await inflated(bytes.subarray(4 + length));
  const arrays = {};
  for (const [name, dtype, shape, offset] of header.arrays) {
    const Type = ARRAY_TYPES[dtype];
    const count = shape.reduce((product, size) => product * size, 1);
    // slice copies, so that the typed array starts on a boundary of its own
    const part = body.slice(offset, offset + count * Type.BYTES_PER_ELEMENT);
    arrays[name] = { shape, values: new Type(part, 0, count) };
  }
  return { header, arrays };
}

function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

// Bits as numpy.packbits writes them: the first cell is the highest bit of the first byte.
function bitAt(packed, index) {
  return (packed[index >> 3] >> (7 - (index & 7))) & 1;
}

function formatNumber(value) {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size < 1e-3 || size >= 1e5 ? value.toExponential(2) : String(+value.toPrecision(4));
  return text.replace("-", "−");
}

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text; // never innerHTML: tokens are the learner's text
  return node;
}
