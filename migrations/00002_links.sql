-- Pages that are found while others are read.

-- +goose Up
ALTER TABLE tabfarm_internal.page
    ADD COLUMN depth smallint NOT NULL DEFAULT 0,
    ADD COLUMN links integer;
COMMENT ON COLUMN tabfarm_internal.page.depth IS 'number of links from a page of its own kind that led to it, the fewest known; nearer pages are claimed first';
COMMENT ON COLUMN tabfarm_internal.page.links IS 'pages that its links lead to; NULL while it has not ended well, and where no links are looked for';

-- +goose Down
ALTER TABLE tabfarm_internal.page DROP COLUMN depth, DROP COLUMN links;
