// A disk with one arm: seek, rotation and transfer, requests one after the other, and a buffer that reads on behind the last.
//
// Deterministic: where the platter stands follows from the time alone. Times are nanoseconds inside and cycles outside.

/** Times of a disk. */
export interface DiskTimes {
  /** From a command to its seek; of one whose data is buffered. */
  readonly commandNs: number;
  readonly bufferedNs: number;
  /** Shortest seek, and the average one over a third of the stroke. */
  readonly trackNs: number;
  readonly seekNs: number;
  readonly turnNs: number;
  readonly nsPerByte: number;
  /** Bytes from the first track to the last, and of the part that files lie on. */
  readonly stroke: number;
  readonly span: number;
  /** Bytes read on behind a request. */
  readonly ahead: number;
}

/** A request: where it lies as a share of the span, and on from there. */
export interface DiskRequest {
  /** 0 to 1. */
  readonly place: number;
  readonly offset: number;
  readonly bytes: number;
  /** Bytes written back to the end of the disk just before. */
  readonly written?: number;
}

/** The arm and the queue of one replay's disk. */
export class Disk {
  readonly #times: DiskTimes;
  readonly #cyclesPerNs: number;
  #busyUntil = 0;
  #head = 0;
  /** What the buffer holds: from the last request's start to what was read on behind it; when that was done. */
  #from = -1;
  #to = -1;
  requests = 0;
  /** Requests served from the buffer. */
  buffered = 0;

  constructor(times: DiskTimes, cyclesPerNs: number) {
    this.#times = times;
    this.#cyclesPerNs = cyclesPerNs;
  }

  /** Time of a seek over a distance in bytes: none for none, else a track's and the root of the way. */
  seek(distance: number): number {
    if (distance === 0) return 0;
    const { trackNs, seekNs, stroke } = this.#times;
    return trackNs + (seekNs - trackNs) * Math.sqrt((3 * distance) / stroke);
  }

  /** When a request that is made at a cycle completes: first come, first served. */
  complete(now: number, request: DiskRequest): number {
    if (request.written !== undefined) this.#serve(now, { place: 1, offset: 0, bytes: request.written });
    return this.#serve(now, request);
  }

  #serve(now: number, { place, offset, bytes }: DiskRequest): number {
    const { commandNs, bufferedNs, turnNs, nsPerByte, span, ahead } = this.#times;
    const start = Math.max(now / this.#cyclesPerNs, this.#busyUntil);
    const at = Math.floor(place * span) + offset;
    this.requests++;
    let end: number;
    if (at >= this.#from && at + bytes <= this.#to) {
      this.buffered++;
      end = start + bufferedNs;
    } else if (at >= this.#from && at <= this.#to) {
      // It begins in what is being read on: the arm is there, the rest passes under it.
      end = start + bufferedNs + (at + bytes - this.#to) * nsPerByte;
    } else {
      const there = start + commandNs + this.seek(Math.abs(at - this.#head));
      // A turn holds a track; sectors pass by as the time does.
      const track = turnNs / nsPerByte;
      const angle = ((at % track) / track) * turnNs;
      const wait = (((angle - there) % turnNs) + turnNs) % turnNs;
      end = there + wait + bytes * nsPerByte;
    }
    this.#from = at;
    this.#to = at + bytes + ahead;
    this.#head = at + bytes;
    this.#busyUntil = end;
    return Math.max(now, Math.ceil(end * this.#cyclesPerNs));
  }
}
