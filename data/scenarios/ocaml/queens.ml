(* Counts the ways to put n queens on a board; then some strings and a hash table. *)
let rec safe q d = function [] -> true | x :: rest -> x <> q && abs (x - q) <> d && safe q (d + 1) rest
let rec place n placed k =
  if k = 0 then 1
  else List.fold_left (fun sum q -> if safe q 1 placed then sum + place n (q :: placed) (k - 1) else sum) 0 (List.init n succ)
let () =
  for n = 4 to 7 do Printf.printf "%d queens: %d\n" n (place n [] n) done;
  let table = Hashtbl.create 16 in
  String.iter (fun c -> Hashtbl.replace table c (1 + try Hashtbl.find table c with Not_found -> 0)) "kernel mode linux";
  let pairs = List.sort compare (Hashtbl.fold (fun c n l -> (c, n) :: l) table []) in
  List.iter (fun (c, n) -> Printf.printf "%c%d " c n) pairs;
  print_newline ()
