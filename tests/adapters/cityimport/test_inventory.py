import io
import json
import zipfile

import pytest
import shapefile

from adapters.cityimport import shapefiles
from adapters.cityimport.inventory import parse_crs, read
from core.errors import CityError

LAMBERT = parse_crs("EPSG:2154")
#: Dijon's town hall in Lambert-93 and in degrees.
XY, DEGREES = (854_200.0, 6_693_000.0), (5.0417, 47.3216)


def write_shapefile(path, names, *, encoding="utf-8", points=None, cpg=None, prj=None):
    writer = shapefile.Writer(str(path), encoding=encoding, shapeType=shapefile.POINT)
    writer.field("Libellé", "C", 40)
    for i, name in enumerate(names):
        point = points[i] if points else XY
        if point is None:
            writer.null()
        else:
            writer.point(*point)
        writer.record(name)
    writer.close()
    path.with_suffix(".cpg").unlink(missing_ok=True)
    if cpg is not None:
        path.with_suffix(".cpg").write_text(cpg)
    if prj is not None:
        path.with_suffix(".prj").write_text(prj)
    return path


def write_geojson(path, geometries, *, crs=None, encoding="utf-8"):
    features = [
        {"type": "Feature", "properties": {"Année": i}, "geometry": g} for i, g in enumerate(geometries)
    ]
    content = {"type": "FeatureCollection", "features": features}
    if crs:
        content["crs"] = {"type": "name", "properties": {"name": crs}}
    path.write_bytes(json.dumps(content, ensure_ascii=False).encode(encoding))
    return path


def point(x, y):
    return {"type": "Point", "coordinates": [x, y]}


def at(inventory, row=0):
    return (round(inventory.geometry[row].x, 4), round(inventory.geometry[row].y, 4))


def refusal(path, crs=None):
    with pytest.raises(CityError) as raised:
        read(path, crs)
    assert str(path) in str(raised.value)
    assert raised.value.next
    return str(raised.value)


def accounted(inventory):
    tally = inventory.tally
    return tally.rows == len(inventory.geometry) + sum(tally.refused.values())


# Coordinates


def test_geojson_without_a_word_is_degrees(tmp_path):
    assert at(read(write_geojson(tmp_path / "a.geojson", [point(*DEGREES)]))) == DEGREES


@pytest.mark.parametrize("crs", ["urn:ogc:def:crs:EPSG::2154", "EPSG:2154"])
def test_the_crs_member_is_obeyed(tmp_path, crs):
    inventory = read(write_geojson(tmp_path / "a.geojson", [point(*XY)], crs=crs))
    assert at(inventory) == pytest.approx(DEGREES, abs=0.01)
    assert inventory.tally.notes == []


def test_an_explicit_crs_speaks_for_a_file_that_says_nothing(tmp_path):
    inventory = read(write_geojson(tmp_path / "a.geojson", [point(*XY)]), LAMBERT)
    assert at(inventory) == pytest.approx(DEGREES, abs=0.01)


def test_degrees_stay_degrees_under_an_explicit_crs_and_the_report_says_so(tmp_path):
    inventory = read(write_geojson(tmp_path / "a.geojson", [point(*DEGREES)]), LAMBERT)
    assert at(inventory) == DEGREES
    assert inventory.tally.notes == ["read as EPSG:4326, not EPSG:2154: its coordinates are degrees."]


def test_a_crs_member_that_cannot_be_is_overruled(tmp_path):
    path = write_geojson(tmp_path / "a.geojson", [point(*XY)], crs="urn:ogc:def:crs:OGC:1.3:CRS84")
    inventory = read(path, LAMBERT)
    assert at(inventory) == pytest.approx(DEGREES, abs=0.01)
    assert "not degrees" in inventory.tally.notes[0]


def test_metres_without_a_crs_are_refused_with_advice(tmp_path):
    text = refusal(write_geojson(tmp_path / "a.geojson", [point(*XY)]))
    assert "854200" in text
    assert "--crs EPSG:2154" in text


def test_an_unknown_crs_is_refused():
    with pytest.raises(CityError, match=r"EPSG:999999.*EPSG:2154"):
        parse_crs("EPSG:999999")


def test_an_unknown_crs_member_is_refused(tmp_path):
    assert "nonsense" in refusal(write_geojson(tmp_path / "a.geojson", [point(*XY)], crs="nonsense"))


def test_a_reference_system_that_leads_nowhere_is_refused(tmp_path):
    path = write_geojson(tmp_path / "a.geojson", [point(*XY)], crs='LOCAL_CS["mine"]')
    assert "nothing leads from mine" in refusal(path)


def test_a_prj_that_differs_from_the_explicit_crs_wins_and_the_report_says_so(tmp_path):
    path = write_shapefile(tmp_path / "a.shp", ["x"], prj=LAMBERT.to_wkt("WKT1_ESRI"))
    inventory = read(path, parse_crs("EPSG:27572"))
    assert at(inventory) == pytest.approx(DEGREES, abs=0.01)
    assert "which the file states" in inventory.tally.notes[0]


# Rows


def test_rows_that_cannot_be_read_are_counted_by_reason(tmp_path):
    bad = {"type": "Point", "coordinates": ["a"]}
    rows = [
        point(*DEGREES),
        None,
        bad,
        point(0, 0),
        {"type": "Nothing"},
        {"type": "Point", "coordinates": []},
        point(10**400, 47),
    ]
    inventory = read(write_geojson(tmp_path / "a.geojson", rows))
    assert inventory.tally.rows == 7
    assert inventory.tally.refused == {"unreadable_geometry": 3, "no_geometry": 2, "at_zero_zero": 1}
    assert len(inventory.geometry) == len(inventory.attributes) == 1
    assert accounted(inventory)


def test_a_file_of_unusable_rows_is_refused(tmp_path):
    assert "no_geometry" in refusal(write_geojson(tmp_path / "a.geojson", [None, None]))


def test_attribute_names_lose_case_and_accents(tmp_path):
    assert read(write_geojson(tmp_path / "a.geojson", [point(*DEGREES)])).attributes == [{"annee": 0}]


# Shapefiles


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("say", [True, False])
def test_shapefile_texts_are_decoded_by_cpg_or_by_trial(tmp_path, encoding, say):
    path = write_shapefile(
        tmp_path / "a.shp",
        ["Célette"],
        encoding=encoding,
        cpg=encoding if say else None,
        prj=LAMBERT.to_wkt(),
    )
    inventory = read(path)
    assert next(iter(inventory.attributes[0].values())) == "Célette"
    assert at(inventory) == pytest.approx(DEGREES, abs=0.01)


def test_the_number_of_a_windows_code_page_is_understood(tmp_path):
    path = write_shapefile(tmp_path / "a.shp", ["Célette"], encoding="cp1252", cpg="ANSI 1252")
    assert next(iter(read(path, LAMBERT).attributes[0].values())) == "Célette"


def test_a_cpg_that_lies_is_refused(tmp_path):
    path = write_shapefile(tmp_path / "a.shp", ["Célette"], encoding="latin-1", cpg="UTF-8")
    assert "'UTF-8'" in refusal(path, LAMBERT)


def test_a_cpg_of_an_unknown_encoding_is_refused(tmp_path):
    assert "Klingon" in refusal(write_shapefile(tmp_path / "a.shp", ["x"], cpg="Klingon"), LAMBERT)


@pytest.mark.parametrize("cpg", ["a\0b", "undefined"])
def test_a_cpg_that_python_stumbles_over_is_refused(tmp_path, cpg):
    assert "unknown encoding" in refusal(write_shapefile(tmp_path / "a.shp", ["x"], cpg=cpg), LAMBERT)


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("words", [-4, 0, 2**30])
def test_a_record_that_leads_outside_its_file_or_back_is_refused(tmp_path, words, index):
    path = write_shapefile(tmp_path / "a.shp", ["x", "y"])
    content = path.read_bytes()
    path.write_bytes(content[:104] + words.to_bytes(4, "big", signed=True) + content[108:])
    if not index:
        path.with_suffix(".shx").unlink()
    assert "inside the file" in refusal(path, LAMBERT)


def test_bytes_behind_the_last_record_are_nothing_where_an_index_counts(tmp_path):
    path = write_shapefile(tmp_path / "a.shp", ["x", "y"])
    path.write_bytes(path.read_bytes() + bytes(5))
    assert read(path, LAMBERT).tally.rows == 2


def test_a_field_without_width_is_refused(tmp_path):
    path = write_shapefile(tmp_path / "a.shp", ["x"]).with_suffix(".dbf")
    content = bytearray(path.read_bytes())
    content[32 + 16] = 0
    path.write_bytes(content)
    assert "no width" in refusal(tmp_path / "a.shp", LAMBERT)


def test_null_shapes_are_counted(tmp_path):
    path = write_shapefile(tmp_path / "a.shp", ["x", "y"], points=[XY, None])
    assert read(path, LAMBERT).tally.refused == {"no_geometry": 1}


def test_a_damaged_shapefile_is_refused(tmp_path):
    path = write_shapefile(tmp_path / "a.shp", ["x"])
    path.write_bytes(path.read_bytes()[:60])
    path.with_suffix(".shx").unlink()
    refusal(path, LAMBERT)


def zipped(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_a_zipped_shapefile_is_read(tmp_path):
    write_shapefile(tmp_path / "a.shp", ["Célette"], encoding="latin-1", prj=LAMBERT.to_wkt())
    parts = {f"folder/{p.name}": p.read_bytes() for p in tmp_path.iterdir()}
    inventory = read(zipped(tmp_path / "a.zip", parts))
    assert next(iter(inventory.attributes[0].values())) == "Célette"


def test_a_zip_without_shapefile_is_refused_with_what_it_holds(tmp_path):
    assert "readme.txt" in refusal(zipped(tmp_path / "a.zip", {"readme.txt": "hello"}))


def test_a_file_that_is_no_zip_is_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"not a zip")
    refusal(tmp_path / "a.zip")


def test_a_zip_bomb_is_refused_at_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(shapefiles, "UNPACKED_MAX", 1000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.shp", bytes(100_000))
    assert "more than" in refusal(tmp_path / "a.zip")


# GeoJSON and CSV as files


def test_a_missing_file_is_refused(tmp_path):
    refusal(tmp_path / "nowhere.csv")


def test_an_unknown_format_is_refused_with_those_that_are_known(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(b"x")
    assert ".geojson" in refusal(tmp_path / "a.xlsx")


@pytest.mark.parametrize("content", ["", "{", "[" * 5000, "[]", '{"type": "Topology"}', '{"features": []}'])
def test_json_without_features_is_refused(tmp_path, content):
    (tmp_path / "a.geojson").write_text(content)
    refusal(tmp_path / "a.geojson")


def test_geojson_in_latin_1_is_read(tmp_path):
    path = write_geojson(tmp_path / "a.geojson", [point(*DEGREES)], encoding="latin-1")
    assert read(path).attributes == [{"annee": 0}]


@pytest.mark.parametrize(
    "content",
    [
        "lon,lat\n5.0417,47.3216\n",
        "Nom;Latitude;Longitude\nGare;47,3216;5,0417\n",
        "id\tgeo_point_2d\n1\t47.3216, 5.0417\n",
        "id|wkt\n1|POINT (5.0417 47.3216)\n",
        'id;geo_shape\n1;"{""type"": ""Point"", ""coordinates"": [5.0417, 47.3216]}"\n',
        "\ufeffX;Y\n5.0417;47.3216\n\n",
    ],
)
def test_csv_of_many_habits(tmp_path, content):
    (tmp_path / "a.csv").write_text(content, "utf-8")
    assert at(read(tmp_path / "a.csv")) == DEGREES


def test_csv_in_latin_1_and_lambert(tmp_path):
    (tmp_path / "a.csv").write_bytes("Libellé;X;Y\nCélette;854200;6693000\n".encode("latin-1"))
    inventory = read(tmp_path / "a.csv", LAMBERT)
    assert at(inventory) == pytest.approx(DEGREES, abs=0.01)
    assert inventory.attributes[0]["libelle"] == "Célette"


def test_dirty_csv_rows_are_counted_by_reason(tmp_path):
    rows = ["5.04,47.32", "#N/A,47.32", ",", "x,", "5.0", "5.04,47.32,6", "inf,47", "0,0"]
    (tmp_path / "a.csv").write_text("lon,lat\n" + "\n".join(rows) + "\n")
    inventory = read(tmp_path / "a.csv")
    assert accounted(inventory)
    assert inventory.tally.refused == {
        "unreadable_geometry": 2,
        "wrong_number_of_cells": 2,
        "coordinates_not_finite": 1,
        "at_zero_zero": 1,
    }


def test_geojson_that_ends_inside_a_letter_is_a_refused_cell(tmp_path):
    cell = '{"type": "Point", "coordinates": [5.æ'
    (tmp_path / "a.csv").write_text(f"geojson\n{cell}\nPOINT (5 47)\n", "utf-8")
    assert read(tmp_path / "a.csv").tally.refused == {"unreadable_geometry": 1}


def test_csv_without_geometry_names_the_columns_it_has(tmp_path):
    (tmp_path / "a.csv").write_text("NOM,VITESSE\nx,50\n")
    assert "['NOM', 'VITESSE']" in refusal(tmp_path / "a.csv")


@pytest.mark.parametrize("content", [b"", b"  \n", b"lon,lat\n", "lon,lat\n5,47\n".encode("utf-16")])
def test_csv_without_rows_or_in_utf_16_is_refused(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    refusal(tmp_path / "a.csv")


def test_a_csv_cell_beyond_all_measure_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("lon,lat\n" + "1" * 200_000 + ",47\n")
    refusal(tmp_path / "a.csv")


def test_an_empty_shapefile_is_refused(tmp_path):
    write_shapefile(tmp_path / "a.shp", [])
    refusal(tmp_path / "a.shp", LAMBERT)
    (tmp_path / "b.shp").write_bytes(io.BytesIO().getvalue())
    refusal(tmp_path / "b.shp", LAMBERT)
