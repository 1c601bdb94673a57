// Work.class is this, compiled by javac 17 with -g:none.
import java.util.*;

public class Work {
  static long sum(int from, int to) { long s = 0; for (int i = from; i < to; i++) s += (long) i * i % 7; return s; }

  static void threads() throws InterruptedException {
    int n = 4, each = 200_000;
    long[] parts = new long[n];
    Thread[] all = new Thread[n];
    for (int t = 0; t < n; t++) { int me = t; all[t] = new Thread(() -> parts[me] = sum(me * each, (me + 1) * each)); all[t].start(); }
    for (Thread t : all) t.join();
    System.out.println("threads " + Arrays.stream(parts).sum() + " one " + sum(0, n * each));
  }

  static void exception() {
    try { Object o = null; o.toString(); } catch (NullPointerException e) { System.out.println("caught " + e.getClass().getName()); }
    try { int[] a = new int[2]; a[2] = 1; } catch (ArrayIndexOutOfBoundsException e) { System.out.println(e.getMessage()); }
    try { System.out.println(1 / (args0 - args0)); } catch (ArithmeticException e) { System.out.println(e.getMessage()); }
    try { deep(0); } catch (StackOverflowError e) { System.out.println("caught " + e.getClass().getName()); }
  }
  static int args0 = 1;
  static int deep(int n) { return deep(n + 1) + 1; }

  static void garbage() {
    Map<Integer, byte[]> kept = new HashMap<>();
    long bytes = 0;
    for (int i = 0; i < 40_000; i++) { byte[] b = new byte[1024 + i % 512]; bytes += b.length; kept.put(i % 1000, b); }
    long held = 0;
    for (byte[] b : kept.values()) held += b.length;
    System.out.println("allocated " + bytes + " held " + held);
  }

  public static void main(String[] args) throws Exception {
    System.out.println("Hello");
    threads();
    exception();
    garbage();
  }
}
