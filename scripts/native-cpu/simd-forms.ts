// What SIMD vectors start from: XMM and MXCSR of an FXSAVE image, and memory operands.
import type { Form } from "../../src/emu/cpu/isa/forms.ts";
import type { Random } from "./cases.ts";

const SINGLES = [
  0, 0x8000_0000, 0x3f80_0000, 0xbf80_0000, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0x7fa0_0000, 0xffff_ffff, 1,
  0x807f_ffff, 0x0080_0000, 0x7f7f_ffff, 0x4f00_0000, 0xcf00_0000, 0x4eff_ffff, 0x3f00_0000, 0x4b00_0001, 0x3fc0_0000,
];
/** Upper words of doubles. */
const DOUBLES = [
  0, 0x8000_0000, 0x3ff0_0000, 0xbff0_0000, 0x7ff0_0000, 0xfff0_0000, 0x7ff8_0000, 0x7ff4_0000, 0x000f_ffff,
  0x0010_0000, 0x7fef_ffff, 0x41e0_0000, 0xc1e0_0000, 0x41df_ffff, 0x3fe0_0000, 0x47ef_ffff, 0x3690_0000, 0x4330_0000,
];
const MXCSRS = [0x1f80, 0x1f80, 0x1f80, 0x3f80, 0x5f80, 0x7f80, 0x9f80, 0x1fc0, 0x9fc0, 0x1fbf, 0x1f80, 0x1f80];
/** Some exceptions unmasked. */
const UNMASKED = [0x1d80, 0x1b80, 0x1780, 0x0f80, 0x1f00, 0x1e80, 0x0000];

/** Sixteen bytes: packed singles, doubles, or integers. */
function packed(random: Random): Uint8Array {
  const out = new Uint8Array(16);
  const view = new DataView(out.buffer);
  const kind = random.below(3);
  for (let i = 0; i < 16; i += 4) {
    const near = (random.word() & 0x807f_ffff) | (0x3f80_0000 + ((random.below(40) - 20) << 23));
    view.setUint32(
      i,
      random.below(2) === 0 && kind === 0 ? random.pick(SINGLES) : kind === 0 ? near : random.word(),
      true,
    );
  }
  if (kind === 1) {
    for (let i = 0; i < 16; i += 8) {
      const near = (random.word() & 0x800f_ffff) | (0x3ff0_0000 + ((random.below(80) - 40) << 20));
      const edge = random.below(2) === 0;
      view.setUint32(i + 4, edge ? random.pick(DOUBLES) : near, true);
      if (edge && random.below(2) === 0) view.setUint32(i, random.below(3) === 0 ? 0xffff_ffff : 0, true);
    }
  } else if (kind === 2) {
    for (let i = 0; i < 16; i += 2) {
      if (random.below(2) === 0)
        view.setUint16(i, random.pick([0, 1, 0x7fff, 0x8000, 0xffff, 0x7f, 0x80, 0xff, 0x80ff]), true);
    }
  }
  return out;
}

/** Fill MXCSR and the XMM registers of an FXSAVE image. */
export function simdImage(random: Random, v: number, image: Uint8Array): void {
  const view = new DataView(image.buffer);
  view.setUint32(24, v % 8 === 7 ? random.pick(UNMASKED) : random.pick(MXCSRS), true);
  view.setUint32(28, 0xffff, true);
  for (let i = 0; i < 8; i++) image.set(packed(random), 160 + 16 * i);
}

/** Put a memory operand that suits the form at `at` of the window. */
export function simdOperand(random: Random, v: number, form: Form, window: Uint8Array, at: number): void {
  if (form.options.cls !== "simd") return;
  if (form.names[0] === "ldmxcsr") {
    new DataView(window.buffer).setUint32(at, v % 8 === 7 ? random.word() : random.pick(MXCSRS), true);
    return;
  }
  window.set(packed(random).subarray(0, Math.min(16, window.length - at)), at);
}
