// Where commands run, natively and in kmlab alike.

/** The environment of every run: the one kmlab gives by default. */
export const ENVIRONMENT: Readonly<Record<string, string>> = {
  LC_ALL: "C",
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
};

/** Where the test files are, and the working directory. */
export const WORK = "/w";

/** Modification time of /w itself. */
export const WORK_MTIME = 999_999_999;
