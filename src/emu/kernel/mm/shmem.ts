// Memory shared between processes without a file's name: MAP_SHARED | MAP_ANONYMOUS. As on Linux a file without a store.

import { AddressSpace } from "../fs/address_space.ts";
import type { PageCache } from "../fs/page_cache.ts";

export class SharedAnon extends AddressSpace {
  constructor(cache: PageCache, pageCount: number) {
    super({ size: pageCount * 4096 }, cache, false);
  }

  /** An area that maps it is gone. */
  closed(): void {}

  /** Nobody maps it any more. */
  release(): void {
    this.truncate(0);
  }
}
