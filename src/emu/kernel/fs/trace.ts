// What the file system tells the trace about the call in progress: objects, bytes, pages touched and missed.
import { FLAG, OBJECT } from "../../../traces/schema/enums.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import type { File } from "./file.ts";
import type { Inode, Path } from "./inode.ts";

/** The trace's number for an inode; told to the recorder at first use, with the name it was met under where that is known. */
export function objectOf(k: Kernel, inode: Inode, place?: Path): number {
  if (inode.channel) return inode.channel.object(k);
  if (inode.traceObject < 0) {
    inode.traceObject = k.ids.object();
    const type = inode.isRegular || inode.isDir || inode.isLink ? OBJECT.file : OBJECT.device;
    const label = place === undefined ? undefined : k.vfs.nameOf(place, k.vfs.root());
    k.recorder.object({ obj: inode.traceObject, type, size: inode.size, label });
  }
  return inode.traceObject;
}

/** A call moved bytes of an object at an offset (-1: no offset). */
export function recordBytes(k: Kernel, t: Task, obj: number, off: number, bytes: number): void {
  k.recorder.set(t.seq, off >= 0 ? { obj, off, bytes } : { obj, bytes });
}

/** A call touched pages [first, last] of a file's cache. */
export function recordPages(k: Kernel, t: Task, inode: Inode, first: number, last: number, write: boolean): void {
  if (!k.onCacheTouch) return;
  const obj = objectOf(k, inode);
  for (let index = first; index <= last; index++) k.onCacheTouch(t, obj, index, write);
}

/** Fewer bytes came than were asked for; `timing`: at another moment there might have been more. */
export function recordShort(k: Kernel, t: Task, timing: boolean): void {
  if (k.recorder.enabled) k.recorder.set(t.seq, { flags: timing ? FLAG.short | FLAG.timing_sensitive : FLAG.short });
}

/** The result depends on when the call was made: EAGAIN, a timeout, several ready descriptors. */
export function recordTiming(k: Kernel, t: Task): void {
  if (k.recorder.enabled) k.recorder.set(t.seq, { flags: FLAG.timing_sensitive });
}

/** Tells the trace how many bytes went through a device, and gives that back. */
export function moved(k: Kernel, t: Task, file: File, n: number): number {
  if (k.recorder.enabled) recordBytes(k, t, objectOf(k, file.inode), -1, n);
  return n;
}
