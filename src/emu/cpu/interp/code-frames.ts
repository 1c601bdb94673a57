// Which physical frames hold decoded code, and where: a write that hits a block drops it, one beside it does not.
import { type Memory, PAGE_SIZE, RAM_BASE } from "../../machine/memory.ts";
import { type Block, DROPPED } from "./block.ts";

/** Shift and words of the map of code bytes in a frame: one bit per 32 bytes. */
const GRANULE_SHIFT = 5;
const GRANULE_WORDS = 4;
/** Writes beside code in a frame before its code is dropped so that writes there become fast; grows fourfold each time. */
const FIRST_PATIENCE = 64;

/** The code of one physical frame. */
class CodeFrame {
  blocks: Block[] = [];
  readonly map = new Int32Array(GRANULE_WORDS);
  /** Length of the list at which dropped blocks are taken out of it: those that lie in two frames stay in one's. */
  pruneAt = 64;
  /** Writes that hit no code since the frame's code was last dropped. */
  writes = 0;
  patience = FIRST_PATIENCE;

  /** Mark bytes [from, to) of the frame as code. */
  mark(from: number, to: number): void {
    for (let g = from >> GRANULE_SHIFT; g <= (to - 1) >> GRANULE_SHIFT; g++) this.map[g >> 5] |= 1 << (g & 31);
  }

  marked(offset: number): boolean {
    const g = offset >> GRANULE_SHIFT;
    return (this.map[g >> 5] & (1 << (g & 31))) !== 0;
  }
}

/** The code of all frames. */
export class CodeFrames {
  private readonly memory: Memory;
  /** Called with every block whose bytes change. */
  private readonly forget: (block: Block) => void;
  private readonly byFrame = new Map<number, CodeFrame>();

  constructor(memory: Memory, forget: (block: Block) => void) {
    this.memory = memory;
    this.forget = forget;
  }

  /** A block has been decoded. */
  register(block: Block): void {
    const first = Math.min(block.length || 1, PAGE_SIZE - (block.host & 0xfff));
    this.registerPart(block, block.host, first);
    if (block.host2 >= 0) this.registerPart(block, block.host2, block.length - first);
  }

  private registerPart(block: Block, host: number, length: number): void {
    if (host < RAM_BASE) return;
    const frame = (host - RAM_BASE) >>> 12;
    let code = this.byFrame.get(frame);
    if (code === undefined) {
      code = new CodeFrame();
      this.byFrame.set(frame, code);
    }
    if (code.blocks.length >= code.pruneAt) {
      code.blocks = code.blocks.filter((b) => b.count !== DROPPED);
      code.pruneAt = 2 * code.blocks.length + 64;
    }
    code.blocks.push(block);
    code.mark(host & 0xfff, (host & 0xfff) + Math.max(length, 1));
  }

  /** The frame's bytes may all have changed. */
  invalidate(pfn: number): void {
    this.memory.codeFrames[pfn] = 0;
    const code = this.byFrame.get(pfn);
    if (code === undefined) return;
    for (const block of code.blocks) this.forget(block);
    code.blocks = [];
    code.map.fill(0);
    code.writes = 0;
  }

  /** Drop all code. */
  invalidateAll(): void {
    for (const pfn of this.byFrame.keys()) this.invalidate(pfn);
    this.byFrame.clear();
  }

  /** Blocks listed in the frames, dropped ones that linger included. */
  get listed(): number {
    let n = 0;
    for (const code of this.byFrame.values()) n += code.blocks.length;
    return n;
  }

  /** A store of up to 4 bytes is about to reach the frame. */
  written(pfn: number, offset: number): void {
    const code = this.byFrame.get(pfn);
    if (code === undefined || code.blocks.length === 0) {
      this.memory.codeFrames[pfn] = 0;
      return;
    }
    const last = Math.min(offset + 3, 0xfff);
    if (code.marked(offset) || code.marked(last)) {
      const start = RAM_BASE + pfn * PAGE_SIZE;
      const kept = code.blocks.filter((block) => !overlaps(block, start, offset, last));
      if (kept.length < code.blocks.length) {
        for (const block of code.blocks) if (overlaps(block, start, offset, last)) this.forget(block);
        code.blocks = kept;
        code.map.fill(0);
        for (const block of kept) this.remark(code, block, start);
        if (kept.length === 0) this.memory.codeFrames[pfn] = 0;
        return;
      }
    }
    if (++code.writes < code.patience) return;
    code.patience *= 4;
    this.invalidate(pfn);
  }

  private remark(code: CodeFrame, block: Block, start: number): void {
    const [from, to] = extent(block, start);
    code.mark(from, to);
  }
}

/** The bytes that a block takes of the frame at host address `start`: [from, to). */
function extent(block: Block, start: number): readonly [number, number] {
  const from = block.host & 0xfff;
  const first = Math.min(Math.max(block.length, 1), PAGE_SIZE - from);
  return (block.host & ~0xfff) === start ? [from, from + first] : [0, Math.max(block.length - first, 1)];
}

function overlaps(block: Block, start: number, first: number, last: number): boolean {
  const [from, to] = extent(block, start);
  return first < to && last >= from;
}
