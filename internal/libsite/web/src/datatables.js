// DataTables with its own paging: ten rows at a time are in the document.
import DataTable from "datatables.net";

new DataTable("#notes", {
  ajax: { url: "/api/datatables", dataSrc: "rows" },
  columns: [
    { data: "note", title: "Note" },
    { data: "name", title: "Name" },
    { data: "octave", title: "Octave" },
    { data: "frequency", title: "Hz" },
  ],
  pageLength: 10,
});
