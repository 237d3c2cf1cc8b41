// The rows behind a page: /api/KIND/N for the page /KIND/N.
export async function fetchTable() {
  const response = await fetch("/api" + location.pathname);
  if (!response.ok) throw new Error("status " + response.status);
  return response.json();
}
